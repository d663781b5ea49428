// Of two records of what was used at a provider, as when it was counted under two names, what to go on from. Pure.
import type { BudgetRecord } from './budget.ts';
import type { PairRecord } from './pair.ts';
import { WINDOW_MS } from './window.ts';

/** Spans of clocks that may be apart by so much are over only then. */
const SKEW_MS = 5000;

/**
 * Where one has gone on from the other, it has all of that: what was reserved there are spans here, so the two are not added up. It is the one
 * with more in the last day, for every window is within that.
 * @param now ms since the epoch: what has left the day does not count
 */
export function strictestPair(one: PairRecord, other: PairRecord, now: number): PairRecord {
  const writer = (one.writer?.epoch ?? 0) >= (other.writer?.epoch ?? 0) ? one.writer : other.writer;
  return {
    ...one,
    ...(writer && { writer }),
    messages: fuller(one.messages, other.messages, now),
    attempts: fuller(one.attempts, other.attempts, now),
    connections: Math.max(one.connections, other.connections),
  };
}

const fuller = (one: BudgetRecord, other: BudgetRecord, now: number): BudgetRecord =>
  counted(other, now) > counted(one, now) ? other : one;

function counted({ windows, reserved }: BudgetRecord, now: number): number {
  const live = windows.day.filter(({ until }) => until + WINDOW_MS.day + SKEW_MS > now);
  return live.reduce((sum, { units }) => sum + units, reserved);
}
