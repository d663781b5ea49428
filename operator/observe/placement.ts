// What the placement of an IPPool's addresses is decided on: nodes, egress pods, leases. Pure.
import type { AddressLease } from '../../mta/bus/snapshot.ts';
import { bringsUp } from '../../resources/ippool.ts';
import type { PlaceNode, PlaceWorld } from '../decide/place.ts';
import { egressSelector, NODE_ADDRESSES_ANNOTATION } from '../desired/names.ts';
import type { AnyObject } from '../runtime/objects.ts';
import type { Caches } from './caches.ts';
import type { IPPool } from './resources.ts';
import { nodeView, podView } from './views.ts';
import type { PodView } from './world.ts';

/** A pod that has been there for this long and is ready would have taken what its machine has. */
const SETTLED_MS = 60_000;

/** The egress pods of an IPPool. */
export function egressPodsOf({ egressPods }: Pick<Caches, 'egressPods'>, ipPool: string): AnyObject[] {
  const wanted = Object.entries(egressSelector(ipPool));
  return egressPods.list().filter(({ metadata }) => wanted.every(([k, v]) => metadata.labels?.[k] === v));
}

/** @returns null when nodes cannot be read here. */
export function placeWorld(
  pool: IPPool,
  caches: Pick<Caches, 'nodes' | 'egressPods'>,
  leases: readonly AddressLease[],
  now: number,
): PlaceWorld | null {
  if (!caches.nodes) return null;
  const { metadata, spec } = pool;
  const pods = egressPodsOf(caches, metadata.name).map(podView);
  const mine = leases.filter(({ ipPool }) => ipPool === `${metadata.namespace}/${metadata.name}`);
  const held = mine.filter(({ holder, released }) => !released && pods.some(({ uid }) => uid === holder.uid));
  const nodesOf = (list: readonly AddressLease[]) =>
    new Map(list.map(({ address, holder }) => [address, holder.node]));
  return {
    addresses: spec.addresses.map(({ address, movable, node, state }) => ({
      address,
      movable: movable && bringsUp(spec),
      node: node ?? null,
      draining: state === 'Draining',
    })),
    nodes: caches.nodes.list().map((node) => placeNode(node, spec.placement.nodeSelector, pods, now)),
    holders: nodesOf(held),
    last: nodesOf(mine),
    maxPerNode: spec.placement.maxAddressesPerNode ?? Number.POSITIVE_INFINITY,
  };
}

function placeNode(
  object: AnyObject,
  selector: Readonly<Record<string, string>>,
  pods: readonly PodView[],
  now: number,
): PlaceNode {
  const { name, labels, annotations } = object.metadata;
  const { ready, outOfService } = nodeView(object);
  const here = pods.filter((pod) => pod.node === name && !pod.deleting);
  const list = annotations?.[NODE_ADDRESSES_ANNOTATION] ?? '';
  return {
    name,
    ready: ready && !outOfService,
    schedulable: (object.spec as { unschedulable?: boolean } | undefined)?.unschedulable !== true,
    selected: Object.entries(selector).every(([key, value]) => labels?.[key] === value),
    addresses: list
      .split(',')
      .map((address) => address.trim())
      .filter(Boolean),
    pod: stateOf(here, now),
  };
}

function stateOf(pods: readonly PodView[], now: number): PlaceNode['pod'] {
  if (pods.length === 0) return 'None';
  const ready = pods.filter((pod) => pod.ready);
  if (ready.length === 0) return 'Starting';
  return ready.some(({ createdAt }) => now - createdAt > SETTLED_MS) ? 'Settled' : 'Ready';
}
