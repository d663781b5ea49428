// The last step of a drain (rule 5): everything is read again live, not from a cache, and written with preconditions.

import type { Assignment } from '../../mta/bus/snapshot.ts';
import { failpoint } from '../../process/failpoint.ts';
import { replicasInForce } from '../decide/autoscale.ts';
import type { DrainVerdict } from '../decide/drain.ts';
import { removalRefusal } from '../decide/drain.ts';
import type { Refusal } from '../decide/drain-checks.ts';
import { parseSendingPool } from '../observe/fleet.ts';
import { livePod, orAbsent } from '../observe/pool-world.ts';
import { KINDS } from '../observe/types.ts';
import { statefulSetView } from '../observe/views.ts';
import type { PoolWorld } from '../observe/world.ts';
import { refOf, TYPES } from '../runtime/objects.ts';
import type { Deps } from './deps.ts';
import { scaleStatefulSet } from './scale.ts';
import { markProvenEmpty } from './spools.ts';

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
  // Before replicas: an operator that is killed between the two leaves a volume that its successor can judge.
  await markProvenEmpty(deps, live, [verdict.ordinal]);
  failpoint('operator.proven-empty');
  const { namespace } = refOf(seen.pool);
  const { name, uid, resourceVersion } = set;
  await scaleStatefulSet(
    deps.api,
    { namespace: namespace ?? '', name, uid, resourceVersion },
    set.replicas - 1,
  );
  failpoint('operator.scaled');
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
    desiredReplicas:
      parsed.kind === 'Valid'
        ? replicasInForce(parsed.resource, seen.statefulSet?.replicas ?? null)
        : Number.MAX_SAFE_INTEGER,
    statefulSet: statefulSet ? statefulSetView(statefulSet) : null,
    pods: [...seen.pods.filter(({ name }) => name !== verdict.pod), ...(pod ? [pod] : [])],
    assignment,
    readings,
  };
}
