// The checks of a drain, one idea each. A check that does not pass gives a named refusal; chains of them read as a
// checklist in drain.ts. Unknown is never empty.
import type { Statement } from '../../mta/bus/snapshot.ts';
import type { Reason } from '../../resources/reasons.ts';
import type { PodView, PoolWorld } from '../observe/world.ts';
import { isSettling, restarted } from './restart.ts';
import { rolloutRuns } from './rollout.ts';

export interface Refusal {
  readonly reason: Extract<
    Reason,
    | 'RolloutUnderWay'
    | 'PreviousLeaving'
    | 'NoPeer'
    | 'PodMissing'
    | 'NotReassigned'
    | 'NotAssigned'
    | 'Unreachable'
    | 'WrongUid'
    | 'NumberMissing'
    | 'OldRevision'
    | 'NotCordoned'
    | 'HoldsShards'
    | 'Unacknowledged'
    | 'InFlight'
    | 'NoRoom'
    | 'NotEmpty'
    | 'Unreadable'
    | 'EventsUnsent'
  >;
  readonly message: string;
  /** Of a step on the way (drain-lasting.ts): since when, ms since the epoch, and whether that is too long. */
  readonly since?: number;
  readonly overdue?: boolean;
}

/** What a check looks at: the picture, the pod that is to leave and what it says of itself. */
export interface Leaving {
  readonly world: PoolWorld;
  readonly ordinal: number;
  readonly name: string;
  readonly pod: PodView | null;
  readonly statement: Statement | null;
}

export type Check = (leaving: Leaving) => Refusal | null;

export const refuse = (reason: Refusal['reason'], message: string): Refusal => ({ reason, message });

/** The first refusal of a chain, or null when all checks pass. */
export function firstRefusal(checks: readonly Check[], leaving: Leaving): Refusal | null {
  for (const check of checks) {
    const refusal = check(leaving);
    if (refusal) return refusal;
  }
  return null;
}

export const notTheLastPod: Check = ({ ordinal, name }) =>
  ordinal > 0
    ? null
    : refuse('NoPeer', `${name} is the last pod and has no peer; delete the SendingPool instead`);

export const noRolloutRuns: Check = ({ world: { statefulSet: set } }) => {
  if (!set) return refuse('RolloutUnderWay', 'the StatefulSet does not exist yet');
  if (set.observedGeneration < set.generation)
    return refuse('RolloutUnderWay', 'the StatefulSet controller has not taken in the last change yet');
  return rolloutRuns(set)
    ? refuse('RolloutUnderWay', 'a rolling update is under way; the drain waits for its end')
    : null;
};

export const previousHasLeft: Check = ({ world, ordinal }) => {
  const previous = world.pods.find((pod) => pod.ordinal > ordinal);
  return previous
    ? refuse('PreviousLeaving', `${previous.name} has not ended yet; one pod leaves at a time`)
    : null;
};

export const podExists: Check = ({ pod, name }) => {
  if (pod && !pod.deleting) return null;
  return refuse('PodMissing', `${name} is not there to say what its volume holds; unknown is not empty`);
};

/**
 * A pod that restarted takes its predecessor's shards first: its volume knows which parcels it holds already, another
 * pod's does not.
 */
export const predecessorsShardsReturned: Check = ({ world, pod, name }) => {
  const left =
    world.assignment?.shards.filter(({ owner }) => owner?.pod === name && owner.uid !== pod?.uid) ?? [];
  return left.length === 0
    ? null
    : refuse('NotReassigned', `${name} has restarted and does not have its ${left.length} shards back yet`);
};

/** decide/restart.ts: what the process before had in hand is redelivered only to a pod that pulls. */
export const handSettled: Check = ({ world, pod, name }) => {
  const { assignment } = world;
  const mine = assignment?.shards.filter(({ owner }) => owner?.uid === pod?.uid) ?? [];
  const again = assignment && pod && restarted(world, assignment).has(pod.uid);
  return mine.length > 0 && (again || mine.some(isSettling))
    ? refuse('NotReassigned', `the container of ${name} has restarted; what it had in hand comes again first`)
    : null;
};

export const statementKnown: Check = ({ world, pod, name, statement }) => {
  if (statement) return null;
  const reading = pod && world.readings.get(pod.uid);
  if (reading?.kind !== 'unknown') return refuse('Unreachable', `${name} has not been asked yet`);
  return refuse(reading.reason, reading.message);
};

export const statementOfThisPod: Check = ({ pod, name, statement }) =>
  statement?.uid === pod?.uid && statement?.pod === name
    ? null
    : refuse(
        'WrongUid',
        `the statement is of ${statement?.pod} (${statement?.uid}), not of ${name} (${pod?.uid})`,
      );

const NUMBERS = ['assignmentRevision', 'unacknowledged', 'inFlight', 'handedOver', 'eventsUnsent'] as const;
const SPOOL_NUMBERS = ['entries', 'bytes', 'freeBytes'] as const;

export const allNumbersGiven: Check = ({ name, statement }) => {
  const spool = statement?.spool;
  const missing = [
    ...NUMBERS.filter((key) => !isCount(statement?.[key])),
    ...SPOOL_NUMBERS.filter((key) => !isCount(spool?.[key])).map((key) => `spool.${key}`),
    ...(Array.isArray(statement?.held) ? [] : ['held']),
  ];
  return missing.length === 0
    ? null
    : refuse('NumberMissing', `the statement of ${name} lacks ${missing.join(', ')}`);
};

const isCount = (value: unknown): boolean => Number.isFinite(value) && Number(value) >= 0;

export const currentRevision: Check = ({ world, name, statement }) => {
  const wanted = world.assignment?.revision;
  if (wanted === undefined) return refuse('NotAssigned', 'there is no assignment yet');
  return statement?.assignmentRevision === wanted
    ? null
    : refuse(
        'OldRevision',
        `${name} acts on assignment ${statement?.assignmentRevision}, not yet on ${wanted}`,
      );
};

export const isCordoned: Check = ({ world, pod, name, statement }) => {
  const member = world.assignment?.members.find(({ uid }) => uid === pod?.uid);
  return member?.cordoned && statement?.cordoned
    ? null
    : refuse('NotCordoned', `${name} is not cordoned yet`);
};

export const nothingUnacknowledged: Check = ({ name, statement }) =>
  statement?.unacknowledged === 0
    ? null
    : refuse('Unacknowledged', `${name} has ${statement?.unacknowledged} parcels to acknowledge`);

export const holdsNoShard: Check = ({ world, pod, name, statement }) => {
  const owned = world.assignment?.shards.filter(({ owner }) => owner?.uid === pod?.uid).length ?? 0;
  const held = statement?.held.length ?? 0;
  return owned + held === 0
    ? null
    : refuse('HoldsShards', `${name} has ${Math.max(owned, held)} shards to give up`);
};

export const nothingInFlight: Check = ({ name, statement }) =>
  statement?.inFlight === 0
    ? null
    : refuse('InFlight', `${name} has ${statement?.inFlight} attempts under way`);

/** What is left is in damaged records only: a hand-over does not end by itself. */
export const notOnlyDamaged: Check = ({ name, statement }) => {
  const { entries = 0, unreadable = 0 } = statement?.spool ?? {};
  return entries === 0 || unreadable < entries
    ? null
    : refuse(
        'Unreadable',
        `${entries} recipients in the spool of ${name} are in damaged records, which cannot be handed over`,
      );
};

export const spoolEmpty: Check = ({ name, statement }) =>
  statement?.spool.entries === 0
    ? null
    : refuse('NotEmpty', `${name} has ${statement?.spool.entries} recipients in its spool`);

export const eventsSent: Check = ({ name, statement }) =>
  statement?.eventsUnsent === 0
    ? null
    : refuse('EventsUnsent', `${name} has ${statement?.eventsUnsent} events to send`);
