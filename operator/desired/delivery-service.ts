// The headless Service that gives delivery pods their names.
import type { SendingPool } from '../observe/resources.ts';
import { deliveryName, deliverySelector, ownerReference } from './names.ts';
import type { Manifest } from './settings.ts';

/** Addresses are published before pods are ready: the operator must reach a pod that is not, to learn why. */
export function buildDeliveryService(pool: SendingPool): Manifest {
  const { name, namespace } = pool.metadata;
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: deliveryName(name),
      namespace,
      labels: deliverySelector(name),
      ownerReferences: [ownerReference('SendingPool', pool.metadata)],
    },
    spec: {
      clusterIP: 'None',
      publishNotReadyAddresses: true,
      selector: deliverySelector(name),
      ports: [{ name: 'admin', port: 8443, targetPort: 'admin' }],
    },
  };
}
