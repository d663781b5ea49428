// Which second copies a fault explains. A sender that loses the reply to the final dot must send again (RFC 1047), so a copy
// whose first one was delivered around the end, hang or cut of a sender is nobody's mistake; any other is. Pure.
import type { AttemptRecord, InternetRecord } from '../internet/record.ts';

/** A fault that may cost replies, from its injection to its undoing; ms since the epoch. */
export interface Window {
  readonly what: string;
  readonly from: number;
  readonly to: number;
  /** Whether a delivery process ended by it: what that one would have told of its repeats is not known. */
  readonly senderDies: boolean;
}

export interface Repeat {
  readonly testId: string;
  readonly recipient: string;
  /** When each copy was taken, ms since the epoch. */
  readonly copies: readonly { readonly at: number; readonly source: string }[];
  /** The faults that explain every copy but the last; empty when one is unexplained. */
  readonly because: readonly string[];
  /** Whether every sender lived on that could tell of it: then the fleet must have counted it. */
  readonly told: boolean;
}

/** An attempt that began this long before may still have been open, and so long after may have been read from a dead socket. */
const BEFORE_MS = 10_000;
const AFTER_MS = 5000;
/** A sender that ends this soon after it may not have noticed yet, or not have been asked. */
const TELLS_WITHIN_MS = 60_000;

/** @param deaths ends of senders that explain no repeat, but take what they counted along */
export function repeatsOf(
  records: readonly InternetRecord[],
  windows: readonly Window[],
  deaths: readonly Window[] = [],
): Repeat[] {
  const ends = [...windows, ...deaths];
  return [...byPair(records).values()].flatMap((attempts) => {
    const [first] = attempts;
    if (!first?.testId || attempts.length < 2) return [];
    const copies = attempts.map(({ at, source }) => ({ at, source })).sort((a, b) => a.at - b.at);
    const causes = copies.slice(0, -1).map(({ at }) => windows.filter(around(at)));
    const explained = causes.every((found) => found.length > 0);
    const because = explained ? [...new Set(causes.flat().map(({ what }) => what))] : [];
    const told = explained && copies.slice(0, -1).every(({ at }) => !ends.some(silences(at)));
    return [{ testId: first.testId, recipient: first.recipient, copies, because, told }];
  });
}

const silences =
  (at: number) =>
  ({ from, to, senderDies }: Window): boolean =>
    senderDies && from <= at + TELLS_WITHIN_MS && to + AFTER_MS >= at - BEFORE_MS;

const around =
  (at: number) =>
  ({ from, to }: Window): boolean =>
    at >= from - BEFORE_MS && at <= to + AFTER_MS;

function byPair(records: readonly InternetRecord[]): Map<string, AttemptRecord[]> {
  const pairs = new Map<string, AttemptRecord[]>();
  for (const record of records) {
    if (record.kind !== 'attempt' || record.outcome !== 'delivered' || record.testId === null) continue;
    const key = `${record.testId} ${record.recipient}`;
    pairs.set(key, [...(pairs.get(key) ?? []), record]);
  }
  return pairs;
}
