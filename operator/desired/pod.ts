// What all pods that the operator makes have in common: identity, probes, restricted security context.
import type { Installation } from './settings.ts';

const IDENTITY_DIR = '/var/run/postfleet-identity';
/** The image's user; also owns the spool volume. */
const USER_ID = 10_001;

const value = (name: string, text: string) => ({ name, value: text });
const field = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } });

/** Environment of every role (docs/architecture.md, Settings). */
export function commonEnv(installation: Installation): object[] {
  const { dnsServers } = installation;
  return [
    field('POSTFLEET_NAMESPACE', 'metadata.namespace'),
    field('POSTFLEET_POD_NAME', 'metadata.name'),
    field('POSTFLEET_POD_UID', 'metadata.uid'),
    field('POSTFLEET_NODE_NAME', 'spec.nodeName'),
    value('POSTFLEET_IDENTITY_DIR', IDENTITY_DIR),
    value('POSTFLEET_IDENTITY_URL', installation.identityUrl),
    value('POSTFLEET_NATS_URL', installation.natsUrl.join(',')),
    value('POSTFLEET_NATS_REPLICAS', String(installation.natsReplicas)),
    value('POSTFLEET_NATS_MONITOR_URL', installation.natsMonitorUrl),
    ...(dnsServers.length ? [value('POSTFLEET_DNS_SERVERS', dnsServers.join(','))] : []),
  ];
}

export const envValue = value;
export const envField = field;

/** Token of our own audience, the authority's certificate, and a folder in memory for the pod's own certificate. */
export const identityVolumes = [
  {
    name: 'identity-token',
    projected: {
      sources: [
        { serviceAccountToken: { audience: 'postfleet.io', expirationSeconds: 3600, path: 'token' } },
      ],
    },
  },
  { name: 'ca', configMap: { name: 'postfleet-ca' } },
  { name: 'identity', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
  { name: 'tmp', emptyDir: {} },
];

export const identityMounts = [
  { name: 'identity-token', mountPath: '/var/run/secrets/postfleet', readOnly: true },
  { name: 'ca', mountPath: '/var/run/postfleet-ca', readOnly: true },
  { name: 'identity', mountPath: IDENTITY_DIR },
  { name: 'tmp', mountPath: '/tmp' },
];

const probe = (path: string, rest: object) => ({
  httpGet: { path, port: 'metrics' },
  timeoutSeconds: 5,
  ...rest,
});

export const probes = {
  startupProbe: probe('/livez', { periodSeconds: 2, failureThreshold: 60 }),
  livenessProbe: probe('/livez', { periodSeconds: 10, failureThreshold: 6 }),
  readinessProbe: probe('/readyz', { periodSeconds: 3, failureThreshold: 2 }),
};

export const containerSecurity = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'] },
};

export const podSecurity = {
  runAsNonRoot: true,
  runAsUser: USER_ID,
  runAsGroup: USER_ID,
  fsGroup: USER_ID,
  fsGroupChangePolicy: 'OnRootMismatch',
  seccompProfile: { type: 'RuntimeDefault' },
};
