// What became of everything, in counts, and which of them must be 0. Pure.
import { type Judgement, judge } from '../internet/judge.ts';
import type { InternetRecord } from '../internet/record.ts';
import type { SubmissionResult } from '../sender/record.ts';
import { type Repeat, repeatsOf, type Window } from './repeats.ts';

export interface Evidence {
  readonly results: readonly SubmissionResult[];
  readonly records: readonly InternetRecord[];
  readonly windows: readonly Window[];
  readonly suppressed: readonly string[];
  readonly allowedSources: readonly string[];
}

export interface Verdict {
  readonly judgement: Judgement;
  /** Second copies that a fault explains, and those that none does. */
  readonly explained: readonly Repeat[];
  readonly unexplained: readonly Repeat[];
  /** Deliveries to suppressed addresses. */
  readonly leaks: number;
  /** Suppressed recipients that were refused at once, as they should be. */
  readonly suppressedRefused: number;
  /** Suppressed addresses that were taken at first, because the list could not be read. */
  readonly suppressedTaken: number;
}

export function verdictOf({ results, records, windows, suppressed, allowedSources }: Evidence): Verdict {
  const left = new Set(suppressed);
  const sent = results.map(({ testId, recipients }) => {
    return { testId, recipients: recipients.filter(({ address }) => !left.has(address)) };
  });
  const repeats = repeatsOf(records, windows);
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
    leaks: records.filter(leaked).length,
    suppressedRefused: told('refused'),
    suppressedTaken: told('accepted'),
  };
}

/** Whether every recipient that was taken has come to an end. */
export const settled = ({ judgement }: Verdict): boolean =>
  judgement.delivered + judgement.bounced >= judgement.accepted;

/** The counts that must be 0, by name. */
export function mustBeZero({ judgement, unexplained, leaks }: Verdict): Record<string, number> {
  const { lost, ghosts, contradicted, strangers, wrongSource, unknown } = judgement;
  return {
    lost,
    'delivered although refused': ghosts,
    'duplicated outside the windows': unexplained.length,
    'delivered to a suppressed address': leaks,
    'delivered and bounced': contradicted,
    'delivered to strangers': strangers,
    'from a wrong address': wrongSource,
    'without an answer': unknown,
  };
}
