// Namespaces and links of a cluster. Each step is one call of ip(8) in batch mode.
import { readdirSync } from 'node:fs';
import { type Addresses, addressesOf, podsOf, SERVICES } from '../addresses.ts';
import type { Shape } from '../options.ts';
import { nodeNamespace, type Place } from '../place.ts';
import { run } from './command.ts';

const nodesOf = (shape: Shape): number[] => Array.from({ length: shape.nodes }, (_, i) => i + 1);
const network = (address: string): string => address.replace(/\.\d+$/, '.0/24');

const batch = (lines: readonly string[], namespace?: string): Promise<string> =>
  run('ip', [...(namespace ? ['-n', namespace] : []), '-batch', '-'], { input: `${lines.join('\n')}\n` });

/** Makes the control namespace with its bridge, the host's link to it, the nodes and the internet. */
export async function makeNetwork(place: Place, index: number, shape: Shape): Promise<void> {
  const at = addressesOf(index);
  const nodes = nodesOf(shape);
  const namespaces = [place.control, place.internet, ...nodes.map((n) => nodeNamespace(place, n))];
  await batch(namespaces.map((name) => `netns add ${name}`));
  await batch([
    `link add ${place.hostLink} type veth peer name host netns ${place.control}`,
    `addr add ${at.host}/24 dev ${place.hostLink}`,
    `link set ${place.hostLink} up`,
  ]);
  await batch(controlLines(place, at, nodes), place.control);
  await batch(internetLines(at, shape), place.internet);
  for (const n of nodes) {
    await batch(nodeLines(at, shape, n), nodeNamespace(place, n));
    await run('nsenter', [
      `--net=/run/netns/${nodeNamespace(place, n)}`,
      'sysctl',
      '-qw',
      'net.ipv4.ip_forward=1',
    ]);
  }
}

function controlLines(place: Place, at: Addresses, nodes: readonly number[]): string[] {
  return [
    'link set lo up',
    'link add br0 type bridge',
    `addr add ${at.control}/24 dev br0`,
    'link set br0 up',
    'link set host master br0 up',
    `link add internet type veth peer name eth0 netns ${place.internet}`,
    'link set internet master br0 up',
    ...nodes.flatMap((n) => [
      `link add node${n} type veth peer name eth0 netns ${nodeNamespace(place, n)}`,
      `link set node${n} master br0 up`,
      `route add ${podsOf(n)} via ${at.node(n)}`,
    ]),
  ];
}

/**
 * A link that leads nowhere, for addresses of the machine's own. A pair with itself, because not every kernel has `dummy` links,
 * and a bridge without ports does not count as running, so that programs that list interfaces would not see it.
 */
const ownLink = (name: string): string[] => [
  `link add ${name} type veth peer name ${name}-end`,
  `link set ${name}-end up`,
  `link set ${name} up`,
];

function internetLines(at: Addresses, shape: Shape): string[] {
  return [
    'link set lo up',
    `addr add ${at.internet}/24 dev eth0`,
    'link set eth0 up',
    ...ownLink('world'),
    ...shape.internet.addresses.map((address) => `addr add ${address}/32 dev world`),
    ...nodesOf(shape).map((n) => `route add ${podsOf(n)} via ${at.node(n)}`),
    ...shape.sendingAddresses.map(({ address, node }) => `route add ${address}/32 via ${at.node(node)}`),
    // On the segment itself: whoever has the address answers for it.
    ...shape.movableAddresses.map((address) => `route add ${address}/32 dev eth0`),
  ];
}

function nodeLines(at: Addresses, shape: Shape, node: number): string[] {
  const world = new Set(['192.0.2.0/24', '203.0.113.0/24', ...shape.internet.addresses.map(network)]);
  const sending = shape.sendingAddresses.filter((each) => each.node === node);
  return [
    'link set lo up',
    `addr add ${at.node(node)}/24 dev eth0`,
    'link set eth0 up',
    ...ownLink('sending'),
    ...sending.map(({ address }) => `addr add ${address}/32 dev sending`),
    ...nodesOf(shape)
      .filter((other) => other !== node)
      .map((other) => `route add ${podsOf(other)} via ${at.node(other)}`),
    ...[...world].map((range) => `route add ${range} via ${at.internet}`),
    // Programs in the host's network need a route before kube-proxy can send them elsewhere. There is no default route: an
    // address that nobody has is unreachable at once.
    `route add ${SERVICES} via ${at.control}`,
  ];
}

/** Takes the node's cable out, or puts it back; its own addresses and routes stay. */
export async function plug(place: Place, node: number, state: 'up' | 'down'): Promise<void> {
  await batch([`link set node${node} ${state}`], place.control);
}

/** Network namespaces of the cluster that are there. */
export function namespacesOf(place: Place): string[] {
  try {
    return readdirSync('/run/netns').filter((name) => name.startsWith(place.prefix));
  } catch {
    return []; // nobody ever made one
  }
}

/** The host's links of the cluster that are there. */
export function linksOf(place: Place): string[] {
  return readdirSync('/sys/class/net').filter((name) => name === place.hostLink);
}

/** Removes links and namespaces. Links first: a namespace is freed later than its removal returns, and its links with it. */
export async function removeNetwork(place: Place): Promise<void> {
  for (const link of linksOf(place)) await run('ip', ['link', 'del', link]);
  for (const name of namespacesOf(place)) await run('ip', ['netns', 'del', name]);
}

/** Destinations of the host's own routes. */
export async function hostRoutes(): Promise<string[]> {
  const routes = JSON.parse(await run('ip', ['-j', '-4', 'route', 'show'])) as { readonly dst?: string }[];
  return routes.flatMap(({ dst }) => dst ?? []);
}
