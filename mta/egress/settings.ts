// The settings of the role (docs/architecture.md, Settings).
import { z } from 'zod';
import { commonSettings, list, natsSettings, port } from '../../process/settings.ts';

export const egressSettings = z.object({
  ...commonSettings,
  ...natsSettings,
  /** IPPool as namespace/name. */
  POSTFLEET_IP_POOL: z.string().regex(/^[^/]+\/[^/]+$/, 'must be namespace/name'),
  POSTFLEET_EGRESS_PORT: port(8444),
  /** The address delivery pods reach this pod at; stands in the lease. */
  POSTFLEET_EGRESS_HOST: z.string().min(1),
  POSTFLEET_ALLOWED_DESTINATIONS: list(),
  POSTFLEET_DNS_SERVERS: list(),
});
export type EgressSettings = z.infer<typeof egressSettings>;
