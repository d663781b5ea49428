// Flags of the control plane's programs. Pure.
import { SERVICES } from '../addresses.ts';

const ETCD = 'http://127.0.0.1:2379';

/** etcd keeps its files in `folder`/etcd and does not sync them: a machine that goes down takes this cluster with it anyway. */
export const etcdFlags = (folder: string): string[] => [
  `--data-dir=${folder}/etcd`,
  `--listen-client-urls=${ETCD}`,
  `--advertise-client-urls=${ETCD}`,
  '--listen-peer-urls=http://127.0.0.1:2380',
  '--unsafe-no-fsync',
  '--log-level=warn',
];

/** Audiences of tokens are not restricted: TokenReview checks the audience that is asked for. */
export const apiServerFlags = (folder: string, address: string): string[] => [
  `--etcd-servers=${ETCD}`,
  '--secure-port=6443',
  `--advertise-address=${address}`,
  `--cert-dir=${folder}/pki`,
  `--client-ca-file=${folder}/pki/ca.crt`,
  `--tls-cert-file=${folder}/pki/apiserver.crt`,
  `--tls-private-key-file=${folder}/pki/apiserver.key`,
  '--service-account-issuer=https://kubernetes.default.svc',
  `--service-account-signing-key-file=${folder}/pki/sa.key`,
  `--service-account-key-file=${folder}/pki/sa.pub`,
  '--authorization-mode=Node,RBAC',
  '--enable-admission-plugins=NodeRestriction',
  `--service-cluster-ip-range=${SERVICES}`,
  '--allow-privileged',
  `--kubelet-client-certificate=${folder}/pki/admin.crt`,
  `--kubelet-client-key=${folder}/pki/admin.key`,
  '--kubelet-preferred-address-types=InternalIP',
  // A lost node's pods are declared lost after seconds, not after five minutes: tests wait for it.
  '--default-not-ready-toleration-seconds=10',
  '--default-unreachable-toleration-seconds=10',
];

export const managerFlags = (folder: string): string[] => [
  `--kubeconfig=${folder}/manager.kubeconfig`,
  `--service-account-private-key-file=${folder}/pki/sa.key`,
  `--root-ca-file=${folder}/pki/ca.crt`,
  `--cluster-signing-cert-file=${folder}/pki/ca.crt`,
  `--cluster-signing-key-file=${folder}/pki/ca.key`,
  '--use-service-account-credentials',
  '--leader-elect=false',
  '--node-monitor-grace-period=20s',
  // It asks for a token per controller when it starts; its default of 20 calls a second made that four seconds.
  '--kube-api-qps=500',
  '--kube-api-burst=500',
];

export const schedulerFlags = (folder: string): string[] => [
  `--kubeconfig=${folder}/scheduler.kubeconfig`,
  '--leader-elect=false',
];

/** CoreDNS answers for the cluster and forwards nothing: there is nowhere to forward to. */
export const corefile = (folder: string, address: string): string => `.:53 {
  bind ${address}
  errors
  ready 127.0.0.1:8181
  kubernetes cluster.local in-addr.arpa {
    kubeconfig ${folder}/admin.kubeconfig postfleet
  }
  cache 5
}
`;
