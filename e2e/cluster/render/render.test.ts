import { parse } from 'yaml';
import { cniConfig } from './cni.ts';
import { containerdConfig } from './containerd.ts';
import { apiServerFlags, corefile, managerFlags } from './control.ts';
import { kubeconfig } from './kubeconfig.ts';
import { kubeletConfig, kubeletFlags, proxyConfig } from './kubelet.ts';

const node = {
  name: 'node2',
  address: '10.84.3.12',
  folder: '/state/node2',
  cgroup: '/pf-ab12/node2',
  clusterDns: '10.84.3.10',
};

test('the kubelet has its own cgroup, never evicts for the machine, and asks the cluster for names', () => {
  const config = parse(kubeletConfig(node));
  expect(config).toMatchObject({
    cgroupRoot: '/pf-ab12/node2',
    failCgroupV1: false,
    clusterDNS: ['10.84.3.10'],
  });
  expect(config.evictionHard).toEqual({});
  expect(config.authentication.anonymous.enabled).toBe(false);
});

test('everything that a node writes is below its folder', () => {
  const texts = [
    kubeletConfig(node),
    containerdConfig(node.folder),
    proxyConfig(node),
    ...kubeletFlags(node),
  ];
  const paths = texts.join('\n').match(/(?<=[ "'=]|unix:\/\/)\/[\w./-]+/g) ?? [];
  const elsewhere = paths.filter((path) => !path.startsWith('/state/node2/'));
  expect(elsewhere.sort()).toEqual(['/pf-ab12/node2', '/usr/lib/cni']);
});

test('pods of a node have addresses of their own, and are not masqueraded', () => {
  const { plugins } = JSON.parse(cniConfig('pf', 2, node.folder));
  expect(plugins[0]).toMatchObject({ type: 'ptp', ipMasq: false });
  expect(plugins[0].ipam.ranges).toEqual([[{ subnet: '10.85.2.0/24' }]]);
});

test('names outside the cluster are asked of nobody', () => {
  expect(corefile('/state', '10.84.3.10')).not.toMatch(/forward|\/etc\/resolv/);
});

test('nodes may not change what is not theirs, and lost ones are noticed within half a minute', () => {
  const api = apiServerFlags('/state', '10.84.3.10');
  expect(api).toContain('--authorization-mode=Node,RBAC');
  expect(api).toContain('--enable-admission-plugins=NodeRestriction');
  expect(managerFlags('/state')).toContain('--node-monitor-grace-period=20s');
});

test('a kubeconfig carries its certificates with it', () => {
  const text = kubeconfig('https://10.84.3.10:6443', 'AUTHORITY', { certificate: 'CERT', key: 'KEY' });
  const { clusters, users } = parse(text);
  expect(Buffer.from(clusters[0].cluster['certificate-authority-data'], 'base64').toString()).toBe(
    'AUTHORITY',
  );
  expect(Buffer.from(users[0].user['client-key-data'], 'base64').toString()).toBe('KEY');
});
