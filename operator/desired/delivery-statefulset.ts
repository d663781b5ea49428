// The StatefulSet of a SendingPool's delivery pods. It names no replicas: they are written by the drain alone (act/scale.ts).
import type { SendingPool } from '../observe/resources.ts';
import { deliveryName, deliverySelector, LABELS, SPOOL_VOLUME } from './names.ts';
import {
  commonEnv,
  containerSecurity,
  envValue,
  identityMounts,
  identityVolumes,
  podSecurity,
  probes,
} from './pod.ts';
import type { Installation, Manifest } from './settings.ts';

const SPOOL_DIR = '/var/lib/postfleet';
/** Longer than the ten minutes that SMTP allows a server after the final dot (RFC 5321 §4.5.3.2.6). */
const GRACE_SECONDS = 660;
const RESOURCES = { requests: { cpu: '50m', memory: '128Mi' }, limits: { memory: '1Gi' } };

/**
 * Has no owner reference: a cascading delete of the SendingPool must not end pods that still hold mail. The finalizer
 * removes it after the drain.
 * @param claimSize of the volume claims; that of an existing StatefulSet cannot be changed (act/volumes.ts).
 */
export function buildDeliveryStatefulSet(
  pool: SendingPool,
  installation: Installation,
  partition: number,
  claimSize = pool.spec.storage.size,
): Manifest {
  const { name, namespace, uid } = pool.metadata;
  const selector = deliverySelector(name);
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: deliveryName(name), namespace, labels: { ...selector, [LABELS.poolUid]: uid } },
    spec: {
      serviceName: deliveryName(name),
      podManagementPolicy: 'Parallel',
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition } },
      persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Retain' },
      selector: { matchLabels: selector },
      template: podTemplate(pool, installation),
      volumeClaimTemplates: [spoolClaim(pool, claimSize)],
    },
  };
}

function podTemplate(pool: SendingPool, installation: Installation): object {
  const { podTemplate: extra } = pool.spec;
  const { name } = pool.metadata;
  return {
    metadata: {
      labels: { ...extra.labels, ...deliverySelector(name) },
      annotations: { ...extra.annotations, 'kubectl.kubernetes.io/default-container': 'delivery' },
    },
    spec: {
      serviceAccountName: 'postfleet-delivery',
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      terminationGracePeriodSeconds: GRACE_SECONDS,
      ...(extra.nodeSelector && { nodeSelector: extra.nodeSelector }),
      securityContext: podSecurity,
      topologySpreadConstraints: [
        {
          maxSkew: 1,
          topologyKey: 'kubernetes.io/hostname',
          whenUnsatisfiable: 'ScheduleAnyway',
          labelSelector: { matchLabels: deliverySelector(name) },
        },
      ],
      containers: [container(pool, installation)],
      volumes: identityVolumes,
    },
  };
}

/** Garbage is taken off earlier than Node would: a pod with 100,000 spooled messages stays under 400 MB (docs/benchmarks.md). */
export const DELIVERY_NODE_OPTIONS = '--max-semi-space-size=8';

function container(pool: SendingPool, installation: Installation): object {
  const databaseUrl = { secretKeyRef: { name: installation.databaseSecret, key: 'delivery-url' } };
  return {
    name: 'delivery',
    image: installation.image,
    imagePullPolicy: installation.imagePullPolicy,
    args: ['delivery'],
    env: [
      ...commonEnv(installation),
      { name: 'POSTFLEET_DATABASE_URL', valueFrom: databaseUrl },
      envValue('POSTFLEET_POOL', pool.metadata.name),
      envValue('POSTFLEET_SPOOL_DIR', SPOOL_DIR),
      envValue('POSTFLEET_ADMIN_PORT', '8443'),
      envValue('NODE_OPTIONS', DELIVERY_NODE_OPTIONS),
    ],
    ports: [
      { name: 'admin', containerPort: 8443 },
      { name: 'metrics', containerPort: 9090 },
    ],
    ...probes,
    resources: { ...RESOURCES, ...pool.spec.podTemplate.resources },
    securityContext: containerSecurity,
    volumeMounts: [...identityMounts, { name: SPOOL_VOLUME, mountPath: SPOOL_DIR }],
  };
}

function spoolClaim(pool: SendingPool, size: string): object {
  const { storageClassName } = pool.spec.storage;
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: SPOOL_VOLUME, labels: deliverySelector(pool.metadata.name) },
    spec: {
      accessModes: ['ReadWriteOnce'],
      ...(storageClassName && { storageClassName }),
      resources: { requests: { storage: size } },
    },
  };
}
