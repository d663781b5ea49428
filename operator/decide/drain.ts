// Draining: how a delivery pod leaves (design.md, "Draining: the heart"). Everything is derived from the picture each
// time, so an operator that was killed in the middle goes on where the world stands. The decision has no memory and no I/O.
import type { PoolWorld } from '../observe/world.ts';
import {
  allNumbersGiven,
  type Check,
  currentRevision,
  eventsSent,
  firstRefusal,
  handSettled,
  holdsNoShard,
  isCordoned,
  type Leaving,
  noRolloutRuns,
  nothingInFlight,
  nothingUnacknowledged,
  notOnlyDamaged,
  notTheLastPod,
  podExists,
  predecessorsShardsReturned,
  previousHasLeft,
  type Refusal,
  spoolEmpty,
  statementKnown,
  statementOfThisPod,
} from './drain-checks.ts';
import { othersHaveRoom, restHasRoom } from './drain-room.ts';

/** Before a pod is cordoned. */
const MAY_BEGIN: readonly Check[] = [
  notTheLastPod, // rule 1: never to zero
  previousHasLeft, // rule 1: one at a time
  noRolloutRuns, // no scale-down while a rollout runs
];
const MAY_CORDON: readonly Check[] = [
  podExists, // rule 4: unknown is not empty
  predecessorsShardsReturned, // what was redelivered goes where it may be held already
  handSettled, // and a container that restarted has been given again what it had in hand
];
/** What a statement must be before any number in it counts. */
const PROVEN: readonly Check[] = [
  podExists, // a statement of a pod that is gone proves nothing
  statementKnown, // rule 4: unreachable is not empty
  allNumbersGiven, // rule 4: a missing number is not zero
  statementOfThisPod, // rule 4: proven by the identity of the current incarnation
  currentRevision, // rule 4: made after the cordon
  isCordoned, // rule 2
];
/** Before the spool is handed over. */
const MAY_HAND_OVER: readonly Check[] = [
  ...PROVEN,
  nothingUnacknowledged, // rule 2: spools and acknowledges all it has pulled
  holdsNoShard, // rule 2: gives up its shards, and only then hands over
  othersHaveRoom, // rule 3: 1.2 times the bytes, at each pod that gets some
];
/** Before replicas are lowered. */
const MAY_LEAVE: readonly Check[] = [
  ...MAY_BEGIN,
  ...PROVEN,
  nothingUnacknowledged,
  holdsNoShard,
  notOnlyDamaged, // what cannot be handed over is said, not waited for in silence
  spoolEmpty,
  nothingInFlight,
  eventsSent,
];

export type DrainStep =
  | 'Waiting'
  | 'Cordoning'
  | 'Releasing'
  | 'HandingOver'
  | 'Delivering'
  | 'Empty'
  | 'NeverRan';

export type DrainVerdict =
  | { readonly kind: 'Stay' }
  | {
      readonly kind: 'Leave';
      readonly pod: string;
      readonly uid: string | null;
      readonly ordinal: number;
      readonly step: DrainStep;
      readonly cordon: boolean;
      readonly handOver: boolean;
      /** Replicas may be lowered by one, once the same has been seen live. */
      readonly remove: boolean;
      /** What stands in the way of the next step. */
      readonly refusal: Refusal | null;
      /** Recipients and parcels that have to leave the pod; null: unknown. */
      readonly left: number | null;
    };

/** What the drain of this pool does next. `Stay`: nobody leaves (or no longer: the cordon is taken back). */
export function decideDrain(world: PoolWorld): DrainVerdict {
  const leaving = whoLeaves(world);
  if (!leaving) return { kind: 'Stay' };
  const begin = firstRefusal(MAY_BEGIN, leaving);
  if (neverRan(leaving)) return neverRanVerdict(leaving, begin);
  const cordon = mayCordon(leaving, begin);
  const mayHandOver = firstRefusal(MAY_HAND_OVER, leaving);
  const handOver = cordon && mayTransfer(leaving, mayHandOver);
  const refusal = begin ?? firstRefusal(MAY_CORDON, leaving) ?? nextRefusal(leaving, mayHandOver, handOver);
  return {
    kind: 'Leave',
    ...whoIs(leaving),
    step: stepOf(leaving, refusal, handOver),
    cordon,
    handOver,
    remove: refusal === null,
    refusal,
    left: leftIn(leaving),
  };
}

/** Rule 1: the highest ordinal, and only while more pods are there than wanted. */
function whoLeaves(world: PoolWorld): Leaving | null {
  const set = world.statefulSet;
  if (!set || set.replicas <= world.desiredReplicas) return null;
  const ordinal = set.replicas - 1;
  const pod = world.pods.find((p) => p.ordinal === ordinal) ?? null;
  const reading = pod && world.readings.get(pod.uid);
  const statement = reading?.kind === 'statement' ? reading.statement : null;
  return { world, ordinal, name: `${set.name}-${ordinal}`, pod, statement };
}

const whoIs = ({ name, pod, ordinal }: Leaving) => ({ pod: name, uid: pod?.uid ?? null, ordinal });

/** A cordon that has begun is kept through a rollout; a new one waits for it. */
function mayCordon(leaving: Leaving, begin: Refusal | null): boolean {
  const begun = member(leaving)?.cordoned === true;
  const stop = begun && begin?.reason !== 'NoPeer' ? null : begin;
  return stop === null && firstRefusal(MAY_CORDON, leaving) === null;
}

const member = ({ world, pod }: Leaving) => world.assignment?.members.find(({ uid }) => uid === pod?.uid);

/** One that has begun ends early only for want of room; what is marked as moving by then completes its hand-over all the same. */
function mayTransfer(leaving: Leaving, refusal: Refusal | null): boolean {
  if (leaving.world.drainMode === 'Wait') return false;
  if (member(leaving)?.handOver) return restHasRoom(leaving) === null;
  return refusal === null && (leaving.statement?.spool.entries ?? 0) > 0;
}

/** NoRoom matters only while there is something to hand over. */
function nextRefusal(leaving: Leaving, mayHandOver: Refusal | null, handOver: boolean): Refusal | null {
  const mayLeave = firstRefusal(MAY_LEAVE, leaving);
  const blocked = mayLeave?.reason === 'NotEmpty' && leaving.world.drainMode === 'Transfer' && !handOver;
  return blocked ? (mayHandOver ?? mayLeave) : mayLeave;
}

function stepOf(leaving: Leaving, refusal: Refusal | null, handOver: boolean): DrainStep {
  if (refusal === null) return 'Empty';
  if (!member(leaving)?.cordoned)
    return firstRefusal([...MAY_BEGIN, ...MAY_CORDON], leaving) ? 'Waiting' : 'Cordoning';
  if (handOver) return 'HandingOver';
  return ['NotEmpty', 'NoRoom', 'InFlight', 'EventsUnsent'].includes(refusal.reason)
    ? 'Delivering'
    : 'Releasing';
}

function leftIn({ statement }: Leaving): number | null {
  return statement ? statement.spool.entries + statement.unacknowledged : null;
}

/** Rule 9: no pod of this volume was ever given a shard, so nothing can be stored on it. */
function neverRan({ world, pod, ordinal, name }: Leaving): boolean {
  const volume = world.volumes.find((v) => v.ordinal === ordinal);
  const named = world.assignment?.members.some((m) => m.pod === name);
  const owns = world.assignment?.shards.some(({ owner }) => owner?.pod === name);
  return !pod?.ready && !volume?.used && !named && !owns;
}

function neverRanVerdict(leaving: Leaving, begin: Refusal | null): DrainVerdict {
  const facts = { kind: 'Leave', ...whoIs(leaving), cordon: false, handOver: false, left: 0 } as const;
  return { ...facts, step: begin ? 'Waiting' : 'NeverRan', remove: begin === null, refusal: begin };
}

/** Whether everything a removal needs is seen: asked again of the live objects right before replicas are lowered (rule 5). */
export function removalRefusal(live: PoolWorld, uid: string | null): Refusal | null {
  const leaving = whoLeaves(live);
  if (!leaving || (leaving.pod?.uid ?? null) !== uid)
    return { reason: 'WrongUid', message: 'the pod that was to leave is not the one that is there now' };
  return neverRan(leaving) ? firstRefusal(MAY_BEGIN, leaving) : firstRefusal(MAY_LEAVE, leaving);
}

/** Refusals that need somebody or something else to change; the others are steps on the way, unless they last. */
export function isBlocked({ reason, overdue = false }: Refusal): boolean {
  return overdue || BLOCKED.has(reason);
}

const BLOCKED: ReadonlySet<Refusal['reason']> = new Set([
  'NoPeer',
  'PodMissing',
  'Unreachable',
  'WrongUid',
  'NumberMissing',
  'NoRoom',
  'Unreadable',
]);
