// A node: containerd, kubelet and kube-proxy in a network namespace and a cgroup of its own.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { program } from '../tools/cache.ts';
import { addressesOf } from './addresses.ts';
import { apiUrl } from './control.ts';
import type { Shape } from './options.ts';
import type { Authority } from './pki.ts';
import { nodeFolder, nodeNamespace, type Place } from './place.ts';
import { cniConfig } from './render/cni.ts';
import { containerdConfig } from './render/containerd.ts';
import { kubeconfig } from './render/kubeconfig.ts';
import { kubeletConfig, kubeletFlags, type NodeFacts, proxyConfig } from './render/kubelet.ts';
import { makeCgroup } from './system/cgroups.ts';
import { run } from './system/command.ts';
import { plug } from './system/network.ts';
import { assertAlive, startProgram, stopProgram } from './system/programs.ts';
import { until } from './system/until.ts';

const MAX_SOCKET_PATH = 107;

/** The node's name in the cluster. */
export const nodeName = (node: number): string => `node${node}`;

const socket = (place: Place, node: number): string => join(nodeFolder(place, node), 'containerd.sock');

function factsOf(place: Place, index: number, node: number): NodeFacts {
  const at = addressesOf(index);
  return {
    name: nodeName(node),
    address: at.node(node),
    folder: nodeFolder(place, node),
    cgroup: `/${place.cgroup}/node${node}`,
    clusterDns: at.control,
  };
}

/** Writes everything that the node's programs read. */
export async function writeNode(
  place: Place,
  index: number,
  shape: Shape,
  node: number,
  authority: Authority,
) {
  const facts = factsOf(place, index, node);
  if (socket(place, node).length > MAX_SOCKET_PATH) {
    throw new Error(`${socket(place, node)} is too long for a socket: set POSTFLEET_CACHE to a shorter path`);
  }
  for (const folder of ['cni', 'volumes', 'pod-logs'])
    mkdirSync(join(facts.folder, folder), { recursive: true });
  const put = (name: string, text: string) => writeFileSync(join(facts.folder, name), text, { mode: 0o600 });
  const serving = { dns: [facts.name], ips: [facts.address] };
  const kubelet = await authority.issue({
    name: `system:node:${facts.name}`,
    organization: 'system:nodes',
    ...serving,
  });
  const proxy = await authority.issue({ name: 'system:kube-proxy' });
  const access = (pair: typeof proxy) => kubeconfig(apiUrl(index), authority.certificate, pair);
  put('ca.crt', authority.certificate);
  put('kubelet.crt', kubelet.certificate);
  put('kubelet.key', kubelet.key);
  put('kubelet.kubeconfig', access(kubelet));
  put('proxy.kubeconfig', access(proxy));
  put('kubelet.yaml', kubeletConfig(facts));
  put('proxy.yaml', proxyConfig(facts));
  put('containerd.toml', containerdConfig(facts.folder));
  put('cni/postfleet.conflist', cniConfig(`${place.cgroup}-node${node}`, node, facts.folder));
  put('resolv.conf', shape.internet.addresses.length > 0 ? `nameserver ${shape.internet.dns}\n` : '');
}

/** Starts containerd and waits until it answers: a kubelet that is earlier gives up. */
export async function startRuntime(place: Place, node: number): Promise<void> {
  makeCgroup(`${place.cgroup}/node${node}`);
  makeCgroup(`${place.cgroup}/runtime${node}`);
  start(place, node, 'containerd', ['containerd', '-c', join(nodeFolder(place, node), 'containerd.toml')]);
  const answers = () => ctr(place, node, ['version']);
  await until(`containerd of node ${node}`, answers, { alive: () => assertAlive(place.folder) });
}

/** Starts kubelet and kube-proxy. */
export function startAgents(place: Place, index: number, node: number): void {
  startKubelet(place, index, node);
  const config = join(nodeFolder(place, node), 'proxy.yaml');
  start(place, node, 'kube-proxy', [program('kube-proxy'), `--config=${config}`]);
}

function startKubelet(place: Place, index: number, node: number): void {
  start(place, node, 'kubelet', [program('kubelet'), ...kubeletFlags(factsOf(place, index, node))]);
}

function start(place: Place, node: number, name: string, command: readonly [string, ...string[]]): void {
  startProgram(place.folder, {
    name: `${name}-node${node}`,
    namespace: nodeNamespace(place, node),
    cgroup: `${place.cgroup}/runtime${node}`,
    command,
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: nodeFolder(place, node) },
  });
}

/** containerd's own command, on the images and containers of Kubernetes. */
export function ctr(place: Place, node: number, args: readonly string[]): Promise<string> {
  return run('ctr', ctrArguments(place, node, args));
}

export const ctrArguments = (place: Place, node: number, args: readonly string[]): string[] => [
  ...['--address', socket(place, node), '--namespace', 'k8s.io'],
  ...args,
];

/** The node as others see it when it is lost: no kubelet, no network. Its pods run on, as they would behind a broken cable. */
export async function cutOff(place: Place, node: number): Promise<void> {
  await stopProgram(place.folder, `kubelet-node${node}`, 'SIGKILL');
  await plug(place, node, 'down');
}

/** Undoes `cutOff`. */
export async function bringBack(place: Place, index: number, node: number): Promise<void> {
  await plug(place, node, 'up');
  await stopProgram(place.folder, `kubelet-node${node}`);
  startKubelet(place, index, node);
}
