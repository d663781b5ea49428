// Gathers the frozen picture of one SendingPool.
import type { Assignment } from '../../mta/bus/snapshot.ts';
import { deliveryName, deliverySelector, LABELS } from '../desired/names.ts';
import { ApiError } from '../runtime/errors.ts';
import { type AnyObject, keyOf, TYPES } from '../runtime/objects.ts';
import type { KubeApi } from '../runtime/transport.ts';
import type { Caches } from './caches.ts';
import type { SendingPool } from './resources.ts';
import type { AskStatement } from './statement.ts';
import { isSpoolOf, nodeView, podView, statefulSetView, volumeView } from './views.ts';
import type { PodView, PoolWorld, Reading } from './world.ts';

type Identified = { readonly namespace: string; readonly name: string };

export const isPodOf = (object: AnyObject, pool: string): boolean =>
  Object.entries(deliverySelector(pool)).every(([key, value]) => object.metadata.labels?.[key] === value);

/** What Kubernetes' caches say of a pool. No assignment and no statements yet: those need NATS and the pods. */
export function cachedWorld(
  pool: Identified,
  spec: Pick<SendingPool['spec'], 'replicas' | 'shards' | 'drain'>,
  caches: Caches,
  now: number,
): PoolWorld {
  const set = deliveryName(pool.name);
  const statefulSet = caches.statefulSets.get(keyOf({ namespace: pool.namespace, name: set }));
  return {
    pool: keyOf(pool),
    desiredReplicas: spec.replicas,
    shards: spec.shards,
    drainMode: spec.drain.mode,
    drainModeFault: null,
    statefulSet: statefulSet ? statefulSetView(statefulSet) : null,
    pods: caches.pods
      .list()
      .filter((pod) => isPodOf(pod, pool.name))
      .map(podView)
      .toSorted((a, b) => a.ordinal - b.ordinal),
    nodes: caches.nodes?.list().map(nodeView) ?? null,
    volumes: caches.claims
      .list()
      .filter((claim) => isSpoolOf(claim, pool.name, set))
      .map(volumeView)
      .toSorted((a, b) => a.ordinal - b.ordinal),
    assignment: null,
    readings: new Map(),
    consumers: new Map(),
    now,
  };
}

/**
 * Adds pods that the assignment names and the cache does not show: right after a change of leader the cache may lag behind,
 * and "not seen yet" must not read as "gone".
 */
export async function withUnseenOwners(
  api: KubeApi,
  world: PoolWorld,
  assignment: Assignment | null,
): Promise<PoolWorld> {
  const seen = new Set(world.pods.map(({ uid }) => uid));
  const owners =
    assignment?.shards.flatMap(({ owner }) => (owner && !seen.has(owner.uid) ? [owner] : [])) ?? [];
  const names = [...new Set(owners.map(({ pod }) => pod))];
  const live = await Promise.all(names.map((name) => livePod(api, world.pool, name)));
  const unseen = live.filter((pod) => pod !== null && owners.some(({ uid }) => uid === pod.uid));
  return {
    ...world,
    assignment,
    pods: [...world.pods, ...(unseen as PodView[])].toSorted((a, b) => a.ordinal - b.ordinal),
  };
}

/** A pod as the API server has it now, or null. */
export async function livePod(api: KubeApi, pool: string, name: string): Promise<PodView | null> {
  const found = await orAbsent(api.get(TYPES.pods, { namespace: pool.split('/')[0] ?? '', name }));
  return found ? podView(found) : null;
}

/** null when the API server says 404; any other failure is thrown. */
export async function orAbsent<T>(asking: Promise<T>): Promise<T | null> {
  try {
    return await asking;
  } catch (error) {
    if (ApiError.isNotFound(error)) return null;
    throw error;
  }
}

export async function askAll(
  pods: readonly PodView[],
  ask: AskStatement,
): Promise<ReadonlyMap<string, Reading>> {
  return new Map(await Promise.all(pods.map(async (pod) => [pod.uid, await ask(pod)] as const)));
}

/** Whether an existing object is of this very resource, not of one before it of the same name. */
export const belongsTo = (object: AnyObject | undefined, uid: string): boolean =>
  object?.metadata.labels?.[LABELS.poolUid] === uid;
