// A step on the way that is not the matter of a moment any more. A pod that is cordoned spools and acknowledges what it has pulled within
// seconds; when it does not (its volume cannot be written; NATS has lost the streams and never answers for what was pulled from those of
// before), the drain waits for ever, and looks as if it went on. The only memory a drain needs: since when. Pure.
import { type DrainVerdict, isBlocked } from './drain.ts';
import type { Refusal } from './drain-checks.ts';

/** Fencing a former owner can take thirteen minutes, the life of a connection; the shards are held until then. */
export const LASTING_MS = 15 * 60_000;

/** Taken together: while a pod is stuck in one of them, another may show for a moment, as after each new assignment. */
const STEPS: ReadonlySet<Refusal['reason']> = new Set([
  'NotReassigned',
  'OldRevision',
  'NotCordoned',
  'Unacknowledged',
  'HoldsShards',
]);

/** The verdict, and since when the pod has been at the steps before its hand-over; `overdue` when that is too long. */
export function lasting(drain: DrainVerdict, before: DrainVerdict | null, now: number): DrainVerdict {
  const waits = waitingOf(drain);
  if (drain.kind !== 'Leave' || !waits) return drain;
  const was = before?.kind === 'Leave' && before.uid === drain.uid ? waitingOf(before) : null;
  const since = was?.since ?? now;
  return { ...drain, refusal: { ...waits, since, ...(now - since >= LASTING_MS && { overdue: true }) } };
}

const waitingOf = (drain: DrainVerdict): Refusal | null =>
  drain.kind === 'Leave' && drain.refusal && STEPS.has(drain.refusal.reason) ? drain.refusal : null;

/** Whether people were told of this before. */
export const wasBlocked = (before: DrainVerdict | null, uid: string | null, { reason }: Refusal): boolean =>
  before?.kind === 'Leave' &&
  before.uid === uid &&
  before.refusal?.reason === reason &&
  isBlocked(before.refusal);
