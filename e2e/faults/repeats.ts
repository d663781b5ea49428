// Which second copies are nobody's mistake (RFC 1047). A sender that ends between the reply and its record of it must send again: so
// must one that never reads the reply. The first is explained by a fault that ended, hung or cut off a sender while the reply was on its way; of the
// second the mail server itself knows: the client never said another word. Any other copy is one too many. Pure.
import type { AnswerRecord, AttemptRecord, InternetRecord } from '../internet/record.ts';

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
  /** What explains every copy but the last: faults, or `UNREAD`; empty when one is unexplained. */
  readonly because: readonly string[];
  /** Whether every sender lived on that could tell of it: then the fleet must have counted it. */
  readonly told: boolean;
}

/** The client went without a word after the reply was due. The fleet must have counted it, whether a fault was injected or not. */
export const UNREAD = 'reply not read';

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
  const answers = answersOf(records);
  return [...byPair(records).values()].flatMap((attempts) => {
    const [first] = attempts;
    if (!first?.testId || attempts.length < 2) return [];
    const sorted = attempts.toSorted((a, b) => a.at - b.at);
    const spans = sorted.slice(0, -1).map((copy) => spanOf(copy, answers.get(copy.seq)));
    const causes = spans.map((span) => causesOf(span, windows));
    const explained = causes.every((found) => found.length > 0);
    const because = explained ? [...new Set(causes.flat())] : [];
    const told = explained && spans.every((span) => !ends.some(silences(span)));
    const copies = sorted.map(({ at, source }) => ({ at, source }));
    return [{ testId: first.testId, recipient: first.recipient, copies, because, told }];
  });
}

/** From the final dot until the reply was written. */
interface Span {
  readonly from: number;
  readonly to: number;
  readonly read: boolean;
}

const spanOf = ({ at }: AttemptRecord, answer: AnswerRecord | undefined): Span => ({
  from: at,
  to: answer ? (answer.sentAt ?? answer.at) : at,
  read: answer?.read ?? true,
});

function causesOf(span: Span, windows: readonly Window[]): string[] {
  const faults = windows.filter(around(span)).map(({ what }) => what);
  return faults.length === 0 && !span.read ? [UNREAD] : faults;
}

const silences =
  (span: Span) =>
  ({ from, to, senderDies }: Window): boolean =>
    senderDies && from <= span.to + TELLS_WITHIN_MS && to + AFTER_MS >= span.from - BEFORE_MS;

const around =
  (span: Span) =>
  ({ from, to }: Window): boolean =>
    span.to >= from - BEFORE_MS && span.from <= to + AFTER_MS;

function answersOf(records: readonly InternetRecord[]): Map<number, AnswerRecord> {
  return new Map(
    records.flatMap((one) => (one.kind === 'answer' ? one.of.map((seq) => [seq, one] as const) : [])),
  );
}

function byPair(records: readonly InternetRecord[]): Map<string, AttemptRecord[]> {
  const pairs = new Map<string, AttemptRecord[]>();
  for (const record of records) {
    if (record.kind !== 'attempt' || record.outcome !== 'delivered' || record.testId === null) continue;
    const key = `${record.testId} ${record.recipient}`;
    pairs.set(key, [...(pairs.get(key) ?? []), record]);
  }
  return pairs;
}
