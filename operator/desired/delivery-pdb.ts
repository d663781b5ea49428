// The PodDisruptionBudget of a SendingPool.
import type { SendingPool } from '../observe/resources.ts';
import { deliveryName, deliverySelector, ownerReference } from './names.ts';
import type { Manifest } from './settings.ts';

/** None for a single pod: it would block every node drain for ever, and eviction keeps the spool (rule 8). */
export function buildDeliveryPdb(pool: SendingPool, replicas: number): Manifest | null {
  const { name, namespace } = pool.metadata;
  if (replicas < 2) return null;
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: {
      name: deliveryName(name),
      namespace,
      labels: deliverySelector(name),
      ownerReferences: [ownerReference('SendingPool', pool.metadata)],
    },
    spec: {
      maxUnavailable: 1,
      unhealthyPodEvictionPolicy: 'AlwaysAllow',
      selector: { matchLabels: deliverySelector(name) },
    },
  };
}
