// The Deployment of an IPPool's egress pod, in the egress namespace. It has no owner reference (those cannot cross
// namespaces): the IPPool's finalizer removes it by UID label.
import type { IPPool } from '../observe/resources.ts';
import { egressName, egressPort, egressSelector, LABELS } from './names.ts';
import {
  commonEnv,
  containerSecurity,
  envField,
  envValue,
  identityMounts,
  identityVolumes,
  podSecurity,
  probes,
} from './pod.ts';
import type { Installation, Manifest } from './settings.ts';

const RESOURCES = { requests: { cpu: '50m', memory: '96Mi' }, limits: { memory: '512Mi' } };
const METRICS_PORT = 9090;

export function buildEgressDeployment(pool: IPPool, installation: Installation): Manifest {
  const { name, uid } = pool.metadata;
  const selector = egressSelector(name);
  const labels = { ...selector, [LABELS.ipPoolUid]: uid };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: egressName(name), namespace: installation.egressNamespace, labels },
    spec: {
      replicas: 1,
      // The old pod has the port and the addresses; the new one can only come after it.
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } },
      selector: { matchLabels: selector },
      template: {
        metadata: { labels, annotations: { 'kubectl.kubernetes.io/default-container': 'egress' } },
        spec: podSpec(pool, installation),
      },
    },
  };
}

function podSpec(pool: IPPool, installation: Installation): object {
  const { hostNetwork, nodeSelector } = pool.spec.placement;
  return {
    serviceAccountName: 'postfleet-egress',
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: 60,
    ...(hostNetwork && { hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' }),
    ...(Object.keys(nodeSelector).length > 0 && { nodeSelector }),
    securityContext: podSecurity,
    containers: [container(pool, installation)],
    volumes: identityVolumes,
  };
}

function container(pool: IPPool, installation: Installation): object {
  const { name, namespace, uid } = pool.metadata;
  const { hostNetwork } = pool.spec.placement;
  const port = egressPort(uid);
  // Pods on the host's network share its ports, so metrics get one of their own as well.
  const metrics = hostNetwork ? port + 1 : METRICS_PORT;
  const onHost = (number: number) => (hostNetwork ? { hostPort: number } : {});
  return {
    name: 'egress',
    image: installation.image,
    imagePullPolicy: installation.imagePullPolicy,
    args: ['egress'],
    env: [
      ...commonEnv(installation),
      envValue('POSTFLEET_METRICS_PORT', String(metrics)),
      envValue('POSTFLEET_IP_POOL', `${namespace}/${name}`),
      envValue('POSTFLEET_EGRESS_PORT', String(port)),
      envField('POSTFLEET_EGRESS_HOST', 'status.podIP'),
      envValue('POSTFLEET_ALLOWED_DESTINATIONS', installation.allowedDestinations.join(',')),
    ],
    ports: [
      { name: 'connect', containerPort: port, ...onHost(port) },
      { name: 'metrics', containerPort: metrics, ...onHost(metrics) },
    ],
    ...probes,
    resources: RESOURCES,
    securityContext: containerSecurity,
    volumeMounts: identityMounts,
  };
}
