// The PodDisruptionBudget of a SendingPool.
import type { SendingPool } from '../observe/resources.ts';
import { deliveryName, deliverySelector, ownerReference } from './names.ts';
import type { Manifest } from './settings.ts';

/**
 * One pod may be away at a time. Those that no node takes are not counted: with local volumes the first pod that is evicted from a node
 * waits for that node, and the others on it would otherwise hold its drain up for ever.
 * None for a single pod: it would block every node drain for ever, and eviction keeps the spool (rule 8).
 * @param unplaced how many pods no node takes
 */
export function buildDeliveryPdb(pool: SendingPool, replicas: number, unplaced = 0): Manifest | null {
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
      maxUnavailable: 1 + unplaced,
      unhealthyPodEvictionPolicy: 'AlwaysAllow',
      selector: { matchLabels: deliverySelector(name) },
    },
  };
}
