// The settings of the role (docs/architecture.md, Settings).
import { z } from 'zod';
import { commonSettings, natsSettings, port } from '../../process/settings.ts';

export const ingressSettings = z.object({
  ...commonSettings,
  ...natsSettings,
  POSTFLEET_DATABASE_URL: z.string().min(1),
  POSTFLEET_HOSTNAME: z.string().min(1),
  /** Folder with tls.crt and tls.key for clients (PEM); read again when they change. */
  POSTFLEET_TLS_DIR: z.string().min(1),
  /** File with the sealing key of DKIM keys (32 bytes, base64). */
  POSTFLEET_DKIM_KEY_FILE: z.string().min(1),
  POSTFLEET_SUBMISSION_PORT: port(2587),
  POSTFLEET_SUBMISSIONS_PORT: port(2465),
  POSTFLEET_HTTP_PORT: port(8443),
  /** Largest message as received; a parcel must fit into NATS' 8 MB payload. */
  POSTFLEET_MAX_MESSAGE_BYTES: z.coerce.number().int().min(1024).max(8_000_000).default(7_864_320),
  /** For how long a publish with an unknown outcome is repeated before the client is left without an answer. */
  POSTFLEET_PUBLISH_HORIZON_SECONDS: z.coerce.number().int().min(1).max(120).default(60),
});
export type IngressSettings = z.infer<typeof ingressSettings>;
