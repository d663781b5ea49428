// Every version that the machine is given, in one table.

export interface Program {
  readonly name: string;
  readonly version: string;
  /** A Go module's command, or a package of our own module in e2e/cluster/go. */
  readonly source:
    | { readonly kind: 'module'; readonly path: string }
    | { readonly kind: 'own'; readonly path: string };
  readonly ldflags?: string;
  /** Further names that it answers to. */
  readonly links?: readonly string[];
}

export const KUBERNETES = '1.36.3';
export const NATS = '2.15.2';
export const HELM = '4.3.1';
export const COREDNS = '1.12.4';

const kubernetesVersion = ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version']
  .map((where) => `-X ${where}.gitVersion=v${KUBERNETES}`)
  .join(' ');

export const PROGRAMS: readonly Program[] = [
  {
    name: 'nats-server',
    version: NATS,
    source: { kind: 'module', path: 'github.com/nats-io/nats-server/v2' },
  },
  { name: 'pause', version: KUBERNETES, source: { kind: 'own', path: './pause' } },
  {
    name: 'kube',
    version: KUBERNETES,
    source: { kind: 'own', path: './kube' },
    ldflags: kubernetesVersion,
    links: [
      'kubectl',
      'etcd',
      'kubelet',
      'kube-apiserver',
      'kube-controller-manager',
      'kube-proxy',
      'kube-scheduler',
    ],
  },
  { name: 'helm', version: HELM, source: { kind: 'module', path: 'helm.sh/helm/v4/cmd/helm' } },
  { name: 'coredns', version: COREDNS, source: { kind: 'module', path: 'github.com/coredns/coredns' } },
];

/** A Debian package, and a program of it by which other systems are judged. */
export interface Package {
  readonly debian: string;
  readonly provides: string;
}

export const PACKAGES: readonly Package[] = [
  { debian: 'containerd', provides: 'containerd' },
  { debian: 'runc', provides: 'runc' },
  { debian: 'containernetworking-plugins', provides: '/usr/lib/cni/ptp' },
  { debian: 'iptables', provides: 'iptables' },
  { debian: 'iproute2', provides: 'ip' },
  { debian: 'conntrack', provides: 'conntrack' },
  { debian: 'util-linux', provides: 'nsenter' },
  { debian: 'e2fsprogs', provides: 'mkfs.ext4' },
  { debian: 'libfaketime', provides: '/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1' },
  { debian: 'openssl', provides: 'openssl' },
  { debian: 'postgresql', provides: 'psql' },
  { debian: 'opendkim-tools', provides: 'opendkim-testmsg' },
  { debian: 'python3-dkim', provides: 'dkimverify' },
];

/** Only what `make bench` compares with: a mail server that other mail servers of the machine would have to make room for. */
export const BENCH_PACKAGES: readonly Package[] = [
  { debian: 'postfix', provides: '/usr/sbin/postfix' },
  { debian: 'opendkim', provides: '/usr/sbin/opendkim' },
];
