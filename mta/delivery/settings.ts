// The settings of the delivery role (docs/architecture.md, Settings).
import { z } from 'zod';
import { commonSettings, list, natsSettings, port } from '../../process/settings.ts';

export const deliverySettings = z.object({
  ...commonSettings,
  ...natsSettings,
  POSTFLEET_DATABASE_URL: z.string().min(1),
  POSTFLEET_DNS_SERVERS: list(),
  /** SendingPool, without its namespace. */
  POSTFLEET_POOL: z.string().min(1),
  POSTFLEET_SPOOL_DIR: z.string().min(1),
  POSTFLEET_ADMIN_PORT: port(8443),
});
export type DeliverySettings = z.infer<typeof deliverySettings>;
