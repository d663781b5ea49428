// What became of everything, in counts, and which of them must be 0. Pure.
import { type Judgement, judge } from '../internet/judge.ts';
import type { InternetRecord } from '../internet/record.ts';
import type { SubmissionResult } from '../sender/record.ts';
import { aboveLimit } from './limits.ts';
import { type Repeat, repeatsOf, type Window } from './repeats.ts';

export interface Evidence {
  readonly results: readonly SubmissionResult[];
  readonly records: readonly InternetRecord[];
  readonly windows: readonly Window[];
  /** Ends of senders that explain no repeat. */
  readonly deaths: readonly Window[];
  readonly suppressed: readonly string[];
  readonly allowedSources: readonly string[];
  /** By the fleet's own account: what it still holds, what is on volumes that nobody works, what it may have repeated. */
  readonly fleet: { readonly backlog: number; readonly stranded: boolean; readonly possiblyRepeated: number };
}

export interface Verdict {
  readonly judgement: Judgement;
  /** Second copies that a fault explains, and those that none does. */
  readonly explained: readonly Repeat[];
  readonly unexplained: readonly Repeat[];
  /** Second copies that the fleet must have counted as possibly repeated and has not. */
  readonly untold: number;
  /** Reported as failed, although no mail server ever refused the recipient. */
  readonly unfounded: number;
  readonly fleet: Evidence['fleet'];
  /** Recipients beyond the limit of the provider that has one. */
  readonly above: number;
  /** Deliveries to suppressed addresses. */
  readonly leaks: number;
  /** Suppressed recipients that were refused at once, as they should be. */
  readonly suppressedRefused: number;
  /** Suppressed addresses that were taken at first, because the list could not be read. */
  readonly suppressedTaken: number;
}

export function verdictOf(evidence: Evidence): Verdict {
  const { results, records, windows, deaths, suppressed, allowedSources, fleet } = evidence;
  const left = new Set(suppressed);
  const sent = results.map(({ testId, recipients }) => {
    return { testId, recipients: recipients.filter(({ address }) => !left.has(address)) };
  });
  const repeats = repeatsOf(records, windows, deaths);
  const leaked = (record: InternetRecord) =>
    record.kind === 'attempt' && record.outcome === 'delivered' && left.has(record.recipient);
  const toSuppressed = results.flatMap(({ recipients }) =>
    recipients.filter(({ address }) => left.has(address)),
  );
  const told = (which: 'accepted' | 'refused') =>
    toSuppressed.filter(({ verdict }) => verdict === which).length;
  return {
    judgement: judge({ sent, records, allowedSources, queued: 0 }),
    explained: repeats.filter(({ because }) => because.length > 0),
    unexplained: repeats.filter(({ because }) => because.length === 0),
    untold: Math.max(0, repeats.filter(({ told }) => told).length - fleet.possiblyRepeated),
    unfounded: unfoundedBounces(records),
    fleet,
    above: aboveLimit(records),
    leaks: records.filter(leaked).length,
    suppressedRefused: told('refused'),
    suppressedTaken: told('accepted'),
  };
}

/** What the fleet refuses itself: a message that needs SMTPUTF8, for a server that does not have it (RFC 6531 §3.2). */
const NEEDS_SMTPUTF8 = '5.6.7';

/** Nothing expires in a run, so only a refusal makes a bounce. */
function unfoundedBounces(records: readonly InternetRecord[]): number {
  const refused = new Set(
    records.flatMap((one) => (one.kind === 'attempt' && one.outcome === 'refused' ? [one.recipient] : [])),
  );
  const failed = records.flatMap((one) => (one.kind === 'message' && one.dsn ? one.dsn.recipients : []));
  const unfounded = failed.filter(
    ({ action, address, status }) =>
      action === 'failed' && status !== NEEDS_SMTPUTF8 && !refused.has(address),
  );
  return new Set(unfounded.map(({ address }) => address)).size;
}

/** Whether every recipient that was taken has come to an end, and the fleet holds nothing any more. */
export const settled = ({ judgement, fleet }: Verdict): boolean =>
  judgement.delivered + judgement.bounced >= judgement.accepted && fleet.backlog === 0 && !fleet.stranded;

/** The counts that must be 0, by name. */
export function mustBeZero(verdict: Verdict): Record<string, number> {
  const { judgement, unexplained, untold, unfounded, leaks, fleet, above } = verdict;
  const { lost, ghosts, contradicted, strangers, wrongSource, unknown } = judgement;
  return {
    lost,
    'delivered although refused': ghosts,
    'duplicated outside the windows': unexplained.length,
    'above a limit': above,
    'delivered to a suppressed address': leaks,
    'delivered and bounced': contradicted,
    'bounced without a refusal': unfounded,
    'repeated and not counted by the fleet': untold,
    'still held by the fleet': fleet.backlog,
    'stranded, by the fleet': Number(fleet.stranded),
    'delivered to strangers': strangers,
    'from a wrong address': wrongSource,
    'without an answer': unknown,
  };
}
