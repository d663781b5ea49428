// The Deployment of an IPPool's egress pod on one node, in the egress namespace. It has no owner reference (those cannot cross
// namespaces): the IPPool's finalizer removes it by UID label.
//
// A Deployment for each node and no DaemonSet: which nodes need a pod changes with the placement, and a DaemonSet whose affinity changes
// restarts all its pods; nor does draining a node evict them, so their addresses would go down with the node instead of moving before.
import { createHash } from 'node:crypto';
import { bringsUp } from '../../resources/ippool.ts';
import type { IPPool } from '../observe/resources.ts';
import {
  egressName,
  egressPort,
  egressSelector,
  LABELS,
  nodeHash,
  PORTS_ANNOTATION,
  TEMPLATE_ANNOTATION,
} from './names.ts';
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

/** 5,000 open connections are 445 MiB (docs/benchmarks.md) and what the kernel keeps for 10,000 sockets. */
const RESOURCES = { requests: { cpu: '50m', memory: '96Mi' }, limits: { memory: '768Mi' } };
/** Node's preset young generation grows to 48 MB; what lives for one request is little here. */
export const EGRESS_NODE_OPTIONS = '--max-semi-space-size=4';
const METRICS_PORT = 9090;
/** Ten minutes after a final dot (RFC 5321 §4.5.3.2.6), and one to be the later of the two ends. */
const GRACE_SECONDS = 11 * 60;

type Ports = 0 | 1;

/** What stands now: which template, on which pair of ports. */
export interface Standing {
  readonly template: string;
  readonly ports: Ports;
}

export function standingOf({ metadata }: Pick<Manifest, 'metadata'>): Standing {
  const { [TEMPLATE_ANNOTATION]: template = '', [PORTS_ANNOTATION]: ports } = metadata.annotations ?? {};
  return { template, ports: ports === '1' ? 1 : 0 };
}

/**
 * @param node the node it is for; null: nodes cannot be read here, and the scheduler finds one.
 * @param standing of the Deployment that is there. A changed template takes the other pair of ports: the new pod is ready before the old
 * one is asked to end, and takes the addresses over the moment they are given up.
 */
export function buildEgressDeployment(
  pool: IPPool,
  installation: Installation,
  node: string | null,
  standing: Standing | null,
): Manifest {
  const { name, uid } = pool.metadata;
  const selector = {
    ...egressSelector(name),
    ...(node !== null && { [LABELS.egressNode]: nodeHash(node) }),
  };
  const labels = { ...selector, [LABELS.ipPoolUid]: uid };
  const template = templateHash(pool, installation, node);
  const ports = portsFor(template, standing);
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {
      name: egressName(name, node),
      namespace: installation.egressNamespace,
      labels,
      annotations: { [TEMPLATE_ANNOTATION]: template, [PORTS_ANNOTATION]: String(ports) },
    },
    spec: {
      replicas: 1,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      selector: { matchLabels: selector },
      template: {
        metadata: { labels, annotations: { 'kubectl.kubernetes.io/default-container': 'egress' } },
        spec: podSpec(pool, installation, node, ports),
      },
    },
  };
}

const templateHash = (pool: IPPool, installation: Installation, node: string | null): string =>
  createHash('sha256')
    .update(JSON.stringify(podSpec(pool, installation, node, 0)))
    .digest('hex')
    .slice(0, 16);

function portsFor(template: string, standing: Standing | null): Ports {
  if (!standing || standing.template === template) return standing?.ports ?? 0;
  return standing.ports === 0 ? 1 : 0;
}

/** A pod whose node is silent stays with it: another could only wait for the same node. */
const TOLERATIONS = ['not-ready', 'unreachable'].map((state) => ({
  key: `node.kubernetes.io/${state}`,
  operator: 'Exists',
  effect: 'NoExecute',
}));

function podSpec(pool: IPPool, installation: Installation, node: string | null, ports: Ports): object {
  const { hostNetwork, nodeSelector } = pool.spec.placement;
  return {
    serviceAccountName: 'postfleet-egress',
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: GRACE_SECONDS,
    ...(hostNetwork && { hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' }),
    ...(Object.keys(nodeSelector).length > 0 && { nodeSelector }),
    ...(node !== null && { affinity: { nodeAffinity: onNode(node) }, tolerations: TOLERATIONS }),
    securityContext: podSecurity,
    containers: [container(pool, installation, ports)],
    volumes: identityVolumes,
  };
}

const onNode = (node: string) => ({
  requiredDuringSchedulingIgnoredDuringExecution: {
    nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: [node] }] }],
  },
});

function container(pool: IPPool, installation: Installation, ports: Ports): object {
  const { name, namespace, uid } = pool.metadata;
  const { hostNetwork } = pool.spec.placement;
  const port = egressPort(uid, ports);
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
      envValue('NODE_OPTIONS', EGRESS_NODE_OPTIONS),
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
    securityContext: bringsUp(pool.spec) ? addressSecurity : containerSecurity,
    volumeMounts: identityMounts,
  };
}

/**
 * To put an address on an interface (NET_ADMIN) and to announce it (NET_RAW). Capabilities reach only root's processes, as
 * Kubernetes has no ambient ones; this root has no others.
 */
const addressSecurity = {
  ...containerSecurity,
  runAsNonRoot: false,
  runAsUser: 0,
  capabilities: { drop: ['ALL'], add: ['NET_ADMIN', 'NET_RAW'] },
};
