// Takes the deletion of a SendingPool one step further (decide/deletion.ts). The finalizer comes off in pool.ts when all
// of it is done.
import type { JetStreamManager } from '@nats-io/jetstream';
import { assignmentKey, poolKey, poolSnapshotKey } from '../../mta/bus/names.ts';
import type { Assignment, PoolSnapshot } from '../../mta/bus/snapshot.ts';
import { nextAssignment } from '../decide/assign.ts';
import { type DeletionStep, decideDeletion } from '../decide/deletion.ts';
import { closeStreams, deleteStreams, reopenStreams, type StreamsView } from '../nats/backlog.ts';
import type { Stored } from '../nats/fleet-store.ts';
import { parseSendingPool } from '../observe/fleet.ts';
import { orAbsent } from '../observe/pool-world.ts';
import { statefulSetView } from '../observe/views.ts';
import type { PoolWorld } from '../observe/world.ts';
import { refOf, TYPES } from '../runtime/objects.ts';
import type { BusState, Deps } from './deps.ts';
import { scaleStatefulSet } from './scale.ts';
import { markProvenEmpty, markUsed, settleVolumes } from './spools.ts';

interface Stage {
  readonly snapshot: PoolSnapshot;
  readonly stored: Stored<Assignment | null>;
  readonly streams: StreamsView | null;
}

export async function advanceDeletion(
  deps: Deps,
  { store }: Extract<BusState, { kind: 'Up' }>,
  manager: JetStreamManager,
  world: PoolWorld,
  { snapshot, stored, streams }: Stage,
): Promise<{ deletion: DeletionStep; assignment: Assignment | null }> {
  const pool = poolKey(world.pool);
  const retain = retains(deps, world.pool);
  const deletion: DeletionStep = retain
    ? { step: 'Done' }
    : decideDeletion(world, snapshot.intakeClosed, streams);
  const assignment = retain ? null : await assign(deps, store, world, stored, deletion);
  if (deletion.step === 'CloseIntake')
    await store.put(poolSnapshotKey(pool), { ...snapshot, intakeClosed: true });
  else if (deletion.step === 'CloseStreams') await closeStreams(manager, pool, snapshot.shards);
  else if (deletion.step === 'ReopenStreams') await reopenStreams(manager, pool, snapshot.shards);
  else if (deletion.step === 'RemovePods' && !assignment) await removeStatefulSet(deps, world);
  else if (deletion.step === 'RemoveStreams') await deleteStreams(manager, pool, snapshot.shards);
  else if (deletion.step === 'Done' && !retain)
    for (const key of [assignmentKey(pool), poolSnapshotKey(pool)]) await store.remove(key);
  return { deletion, assignment: assignment ?? stored.value };
}

function retains(deps: Deps, key: string): boolean {
  const object = deps.caches.sendingPools.get(key);
  const parsed = object && parseSendingPool(object);
  return parsed?.kind === 'Valid' && parsed.resource.spec.deletionPolicy === 'Retain';
}

/**
 * Pods go on working their shards until everything looks empty; then all are cordoned, to state it for certain. Once replicas are at zero
 * nothing is assigned any more: who is named as an owner would count as having used its volume again after the proof.
 */
async function assign(
  deps: Deps,
  store: Extract<BusState, { kind: 'Up' }>['store'],
  world: PoolWorld,
  stored: Stored<Assignment | null>,
  { step }: DeletionStep,
): Promise<Assignment | null> {
  if (!world.statefulSet || world.statefulSet.replicas === 0) return null;
  const all = step === 'Cordon' || step === 'RemovePods' ? world.pods : [];
  const next = nextAssignment(world, new Map(all.map(({ uid }) => [uid, { handOver: false }])));
  if (!next) return null;
  await markUsed(deps, world, next);
  await store.write(assignmentKey(poolKey(world.pool)), next, stored.revision);
  return next;
}

/** Only the StatefulSet that was judged, and only unchanged since: its pods are proven empty. */
async function removeStatefulSet(deps: Deps, world: PoolWorld): Promise<void> {
  const { namespace = '' } = refOf(world.pool);
  const ref = { namespace, name: world.statefulSet?.name ?? '' };
  const live = await orAbsent(deps.api.get(TYPES.statefulSets, ref));
  if (!live) return;
  const { uid, resourceVersion, replicas } = statefulSetView(live);
  if (uid !== world.statefulSet?.uid) return;
  if (replicas > 0) {
    const judged = Array.from({ length: replicas }, (_, ordinal) => ordinal);
    await markProvenEmpty(deps, world, judged);
    await scaleStatefulSet(deps.api, { ...ref, uid, resourceVersion }, 0);
  } else if (world.pods.length === 0) {
    await settleVolumes(deps, world, whenDrainedOf(deps, world), () => {});
    await deps.api.delete(TYPES.statefulSets, ref, { uid, resourceVersion });
  }
}

function whenDrainedOf(deps: Deps, { pool }: PoolWorld): 'Keep' | 'Delete' {
  const object = deps.caches.sendingPools.get(pool);
  const parsed = object && parseSendingPool(object);
  return parsed?.kind === 'Valid' ? parsed.resource.spec.storage.whenDrained : 'Keep';
}
