// The judge: what the sender was told against what the internet saw, for every (message, recipient). Pure.
import type { SubmissionResult, Verdict } from '../sender/record.ts';
import type { AttemptRecord, InternetRecord } from './record.ts';
import { domainOf } from './world.ts';

export interface Case {
  readonly sent: readonly Pick<SubmissionResult, 'testId' | 'recipients'>[];
  readonly records: readonly InternetRecord[];
  /** Addresses that mail may come from. */
  readonly allowedSources: readonly string[];
  /** Recipients the fleet still holds, by its own account: so many of the missing are deferred, the others are lost. */
  readonly queued: number;
}

export interface Tally {
  delivered: number;
  bounced: number;
  /** Refused by the recipient's server at any attempt. */
  refused: number;
  /** Put off, counting every attempt. */
  deferrals: number;
}

/** Counts are of (message, recipient) unless they say otherwise. */
export interface Judgement {
  readonly accepted: number;
  readonly refusedToSender: number;
  /** The sender was told nothing. */
  readonly unknown: number;
  readonly delivered: number;
  readonly bounced: number;
  readonly deferred: number;
  readonly lost: number;
  /** Copies beyond the first that the sender knew it had delivered. */
  readonly duplicated: number;
  /** Copies after one whose connection was dropped instead of answered: nobody can avoid these. */
  readonly repeatedAfterSilence: number;
  /** Delivered although the sender was told that it is refused. */
  readonly ghosts: number;
  /** Delivered, and reported as failed. */
  readonly contradicted: number;
  /** Delivered to someone, or with a number, that was never sent. */
  readonly strangers: number;
  /** Attempts from an address that is not allowed. */
  readonly wrongSource: number;
  readonly byProvider: Readonly<Record<string, Tally>>;
  readonly bySource: Readonly<Record<string, Tally>>;
  /** The first of each kind of trouble, for people: `kind testId recipient`. */
  readonly examples: readonly string[];
}

const MAX_EXAMPLES = 20;

export function judge({ sent, records, allowedSources, queued }: Case): Judgement {
  const told = verdictsOf(sent);
  const attempts = records.filter((record): record is AttemptRecord => record.kind === 'attempt');
  const mail = attempts.filter(({ testId, stage }) => testId !== null || stage !== 'dot');
  const copies = copiesOf(attempts);
  const bounces = bouncesOf(records);
  const pairs = [...told].map(([pair, verdict]) =>
    pairJudgement(pair, verdict, copies.get(pair), bounces.has(pair)),
  );
  const count = (which: (pair: Pair) => boolean): number => pairs.filter(which).length;
  const sum = (what: (pair: Pair) => number): number => pairs.reduce((total, pair) => total + what(pair), 0);
  const missing = count(({ missing: one }) => one);
  const allowed = new Set(allowedSources);
  const wrong = attempts.filter(({ source }) => !allowed.has(source));
  const strangers = [...copies.keys()].filter((pair) => !told.has(pair));
  return {
    accepted: count(({ verdict }) => verdict === 'accepted'),
    refusedToSender: count(({ verdict }) => verdict === 'refused'),
    unknown: count(({ verdict }) => verdict === 'unknown'),
    delivered: count(({ delivered }) => delivered),
    bounced: count(({ bounced }) => bounced),
    deferred: Math.min(missing, queued),
    lost: Math.max(0, missing - queued),
    duplicated: sum(({ duplicated }) => duplicated),
    repeatedAfterSilence: sum(({ repeated }) => repeated),
    ghosts: count(({ ghost }) => ghost),
    contradicted: count(({ delivered, bounced }) => delivered && bounced),
    strangers: strangers.length,
    wrongSource: wrong.length,
    byProvider: tally(mail, bounces, ({ recipient }) => domainOf(recipient)),
    bySource: tally(mail, new Set(), ({ source }) => source),
    examples: [
      ...pairs.filter((pair) => pair.missing).map(({ pair }) => `missing ${pair}`),
      ...pairs.filter((pair) => pair.duplicated > 0).map(({ pair }) => `duplicated ${pair}`),
      ...pairs.filter((pair) => pair.ghost).map(({ pair }) => `ghost ${pair}`),
      ...strangers.map((pair) => `stranger ${pair}`),
      ...wrong.map(({ source, recipient }) => `wrong source ${source} ${recipient}`),
    ].slice(0, MAX_EXAMPLES),
  };
}

interface Copies {
  answered: number;
  unanswered: number;
}
interface Pair {
  readonly pair: string;
  readonly verdict: Verdict;
  readonly delivered: boolean;
  readonly bounced: boolean;
  readonly missing: boolean;
  readonly ghost: boolean;
  readonly duplicated: number;
  readonly repeated: number;
}

function pairJudgement(
  pair: string,
  verdict: Verdict,
  { answered, unanswered }: Copies = { answered: 0, unanswered: 0 },
  bounced: boolean,
): Pair {
  const delivered = answered + unanswered > 0;
  return {
    ...{ pair, verdict, delivered, bounced },
    missing: verdict === 'accepted' && !delivered && !bounced,
    ghost: verdict === 'refused' && delivered,
    duplicated: Math.max(0, answered - 1),
    repeated: answered > 0 ? unanswered : Math.max(0, unanswered - 1),
  };
}

/** A recipient is the same whatever the case of its domain; local parts are kept as they are (RFC 5321 §2.4). */
const pairOf = (testId: string, recipient: string): string =>
  `${testId} ${recipient.slice(0, recipient.lastIndexOf('@'))}@${domainOf(recipient)}`;

function verdictsOf(sent: Case['sent']): Map<string, Verdict> {
  return new Map(
    sent.flatMap(({ testId, recipients }) =>
      recipients.map(({ address, verdict }) => [pairOf(testId, address), verdict] as const),
    ),
  );
}

function copiesOf(attempts: readonly AttemptRecord[]): Map<string, Copies> {
  const copies = new Map<string, Copies>();
  for (const { testId, recipient, outcome, reply } of attempts) {
    if (outcome !== 'delivered' || testId === null) continue;
    const pair = pairOf(testId, recipient);
    const so = copies.get(pair) ?? { answered: 0, unanswered: 0 };
    copies.set(pair, so);
    if (reply === null) so.unanswered++;
    else so.answered++;
  }
  return copies;
}

/** Pairs that a delivered notification reports as failed. */
function bouncesOf(records: readonly InternetRecord[]): Set<string> {
  return new Set(
    records.flatMap((record) => {
      if (record.kind !== 'message' || !record.dsn?.testId) return [];
      const { testId, recipients } = record.dsn;
      return recipients
        .filter(({ action }) => action === 'failed')
        .map(({ address }) => pairOf(testId, address));
    }),
  );
}

function tally(
  attempts: readonly AttemptRecord[],
  bounces: ReadonlySet<string>,
  by: (attempt: AttemptRecord) => string,
): Record<string, Tally> {
  const tallies: Record<string, Tally> = {};
  const of = (key: string): Tally => {
    tallies[key] ??= { delivered: 0, bounced: 0, refused: 0, deferrals: 0 };
    return tallies[key];
  };
  for (const attempt of attempts) {
    const one = of(by(attempt));
    if (attempt.outcome === 'delivered') one.delivered++;
    else if (attempt.outcome === 'refused') one.refused++;
    else one.deferrals++;
  }
  for (const pair of bounces) of(domainOf(pair)).bounced++;
  return tallies;
}
