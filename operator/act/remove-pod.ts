// The last step of a drain (rule 5): everything is read again live, not from a cache, and written with preconditions.
import type { Assignment } from '../../mta/bus/snapshot.ts';
import type { DrainVerdict } from '../decide/drain.ts';
import { removalRefusal } from '../decide/drain.ts';
import type { Refusal } from '../decide/drain-checks.ts';
import { SPOOL_VOLUME, USED_ANNOTATION } from '../desired/names.ts';
import { parseSendingPool } from '../observe/fleet.ts';
import { livePod, orAbsent } from '../observe/pool-world.ts';
import { KINDS } from '../observe/types.ts';
import { statefulSetView } from '../observe/views.ts';
import type { PoolWorld } from '../observe/world.ts';
import { refOf, TYPES } from '../runtime/objects.ts';
import type { Deps } from './deps.ts';
import { scaleStatefulSet } from './scale.ts';

type Leave = Extract<DrainVerdict, { kind: 'Leave' }>;

/**
 * Lowers replicas by one if the live pod, StatefulSet, SendingPool and statement still allow it.
 * @returns null when it was done, else why not. @throws ApiError (`isConflict`) when somebody wrote in between.
 */
export async function removePod(
  deps: Deps,
  seen: PoolWorld,
  verdict: Leave,
  readAssignment: () => Promise<Assignment | null>,
): Promise<Refusal | null> {
  const live = await liveWorld(deps, seen, verdict, await readAssignment());
  const refusal = removalRefusal(live, verdict.uid);
  const set = live.statefulSet;
  if (refusal || !set) return refusal;
  const { namespace } = refOf(seen.pool);
  const { name, uid, resourceVersion } = set;
  await scaleStatefulSet(
    deps.api,
    { namespace: namespace ?? '', name, uid, resourceVersion },
    set.replicas - 1,
  );
  return null;
}

async function liveWorld(
  deps: Deps,
  seen: PoolWorld,
  verdict: Leave,
  assignment: Assignment | null,
): Promise<PoolWorld> {
  const { api } = deps;
  const ref = refOf(seen.pool);
  const set = seen.statefulSet ? { namespace: ref.namespace ?? '', name: seen.statefulSet.name } : null;
  const [pool, statefulSet, pod] = await Promise.all([
    api.get(KINDS.SendingPool, ref),
    set ? orAbsent(api.get(TYPES.statefulSets, set)) : null,
    livePod(api, seen.pool, verdict.pod),
  ]);
  const parsed = parseSendingPool(pool);
  const readings = new Map(seen.readings);
  if (pod) readings.set(pod.uid, await deps.ask(pod));
  return {
    ...seen,
    // An invalid spec asks for nothing: then nobody leaves.
    desiredReplicas: parsed.kind === 'Valid' ? parsed.resource.spec.replicas : Number.MAX_SAFE_INTEGER,
    statefulSet: statefulSet ? statefulSetView(statefulSet) : null,
    pods: [...seen.pods.filter(({ name }) => name !== verdict.pod), ...(pod ? [pod] : [])],
    assignment,
    readings,
  };
}

/**
 * The volume of a pod that has left proven empty: deleted when the pool says so (rule 7), else no longer marked as used.
 * @returns what was done; null: there is no volume.
 */
export async function settleVolume(
  { api }: Deps,
  world: PoolWorld,
  ordinal: number,
  whenDrained: 'Keep' | 'Delete',
): Promise<'VolumeDeleted' | 'VolumeKept' | null> {
  const volume = world.volumes.find((v) => v.ordinal === ordinal);
  if (!volume) return null;
  const ref = { namespace: refOf(world.pool).namespace ?? '', name: volume.name };
  if (whenDrained === 'Delete') {
    await api.delete(TYPES.persistentVolumeClaims, ref, { uid: volume.uid });
    return 'VolumeDeleted';
  }
  const body = { metadata: { uid: volume.uid, annotations: { [USED_ANNOTATION]: null } } };
  await api.patch(TYPES.persistentVolumeClaims, ref, { kind: 'merge', body });
  return 'VolumeKept';
}

/** Marks the volumes of pods that are about to be given shards: from then on they may hold mail. */
export async function markUsed(deps: Deps, world: PoolWorld, assignment: Assignment): Promise<void> {
  const { namespace = '' } = refOf(world.pool);
  const owners = new Set(assignment.shards.flatMap(({ owner }) => (owner ? [owner.pod] : [])));
  for (const pod of owners) {
    const name = `${SPOOL_VOLUME}-${pod}`;
    if (world.volumes.find((v) => v.name === name)?.used) continue;
    const since = new Date(deps.now()).toISOString();
    const body = { metadata: { annotations: { [USED_ANNOTATION]: since } } };
    await deps.api.patch(TYPES.persistentVolumeClaims, { namespace, name }, { kind: 'merge', body });
  }
}
