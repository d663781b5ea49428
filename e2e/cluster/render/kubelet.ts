import { stringify } from 'yaml';
import { PODS } from '../addresses.ts';

export interface NodeFacts {
  readonly name: string;
  readonly address: string;
  readonly folder: string;
  /** Below the hierarchies' roots, with a leading slash. */
  readonly cgroup: string;
  readonly clusterDns: string;
}

/** The kubelet's configuration. Pure. */
export function kubeletConfig(node: NodeFacts): string {
  return stringify({
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: `${node.folder}/ca.crt` },
    },
    authorization: { mode: 'Webhook' },
    tlsCertFile: `${node.folder}/kubelet.crt`,
    tlsPrivateKeyFile: `${node.folder}/kubelet.key`,
    containerRuntimeEndpoint: `unix://${node.folder}/containerd.sock`,
    cgroupDriver: 'cgroupfs',
    cgroupRoot: node.cgroup,
    failCgroupV1: false, // 1.35 and later refuse cgroup v1 otherwise
    failSwapOn: false,
    enforceNodeAllocatable: [],
    // The disk and the memory are the machine's: what others do to them must not evict our pods.
    evictionHard: {},
    imageGCHighThresholdPercent: 100,
    clusterDNS: [node.clusterDns],
    clusterDomain: 'cluster.local',
    resolvConf: `${node.folder}/resolv.conf`,
    podLogsDir: `${node.folder}/pod-logs`,
    volumePluginDir: `${node.folder}/volume-plugins`,
  });
}

/** The kubelet's flags. Pure. */
export function kubeletFlags(node: NodeFacts): string[] {
  return [
    `--config=${node.folder}/kubelet.yaml`,
    `--kubeconfig=${node.folder}/kubelet.kubeconfig`,
    `--hostname-override=${node.name}`,
    `--node-ip=${node.address}`,
    `--root-dir=${node.folder}/kubelet`,
    `--cert-dir=${node.folder}/kubelet-pki`,
  ];
}

/** kube-proxy's configuration. Pure. */
export function proxyConfig(node: NodeFacts): string {
  return stringify({
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    clientConnection: { kubeconfig: `${node.folder}/proxy.kubeconfig` },
    mode: 'iptables',
    hostnameOverride: node.name,
    clusterCIDR: PODS,
    // The connection table's limits are the machine's, and not ours to change.
    conntrack: { maxPerCore: 0, min: 0, tcpCloseWaitTimeout: '0s', tcpEstablishedTimeout: '0s' },
  });
}
