// The settings of the operator role (docs/architecture.md, Settings).
import { z } from 'zod';
import { commonSettings, list, natsSettings, port } from '../process/settings.ts';
import type { Installation } from './desired/settings.ts';

export const operatorSettings = z.object({
  ...commonSettings,
  ...natsSettings,
  /** Image of the pods that the operator makes. */
  POSTFLEET_IMAGE: z.string().min(1),
  POSTFLEET_IMAGE_PULL_POLICY: z.enum(['Always', 'IfNotPresent', 'Never']).default('IfNotPresent'),
  POSTFLEET_EGRESS_NAMESPACE: z.string().min(1),
  /** CIDRs that egress may connect to although they are private. */
  POSTFLEET_ALLOWED_DESTINATIONS: list(),
  /** Secret with `delivery-url`. */
  POSTFLEET_DATABASE_SECRET: z.string().min(1).default('postfleet-database'),
  POSTFLEET_DNS_SERVERS: list(),
  /** Where pods get their certificates; absent: this operator's own Service. */
  POSTFLEET_IDENTITY_PORT: port(8443),
  /** Port on which delivery pods state what they hold. */
  POSTFLEET_ADMIN_PORT: port(8443),
  /** A further name in the certificate of ingress. */
  POSTFLEET_INGRESS_HOSTNAME: z.string().optional(),
  /** Space per shard in JetStream; a full shard refuses mail, it never drops any. */
  POSTFLEET_SHARD_MAX_BYTES: z.coerce
    .number()
    .int()
    .min(1 << 20)
    .default(512 << 20),
});
export type OperatorSettings = z.infer<typeof operatorSettings>;

export function installationOf(settings: OperatorSettings): Installation {
  const namespace = settings.POSTFLEET_NAMESPACE;
  const ownUrl = `https://postfleet-operator.${namespace}.svc:${settings.POSTFLEET_IDENTITY_PORT}/v1/identity`;
  return {
    namespace,
    egressNamespace: settings.POSTFLEET_EGRESS_NAMESPACE,
    image: settings.POSTFLEET_IMAGE,
    imagePullPolicy: settings.POSTFLEET_IMAGE_PULL_POLICY,
    natsUrl: settings.POSTFLEET_NATS_URL,
    natsReplicas: settings.POSTFLEET_NATS_REPLICAS,
    natsMonitorUrl: settings.POSTFLEET_NATS_MONITOR_URL,
    databaseSecret: settings.POSTFLEET_DATABASE_SECRET,
    identityUrl: settings.POSTFLEET_IDENTITY_URL ?? ownUrl,
    dnsServers: settings.POSTFLEET_DNS_SERVERS,
    allowedDestinations: settings.POSTFLEET_ALLOWED_DESTINATIONS,
  };
}
