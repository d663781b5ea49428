// How a day went, and what that means for the next: advance, hold, or step back. A day that passes a step-back threshold is
// also over at once: nothing more is sent until the next day, and then less.

export interface Tally {
  /** Recipients the provider has accepted. */
  readonly accepted: number;
  /** Temporary refusals for rate or reputation; greylisting is none of them. */
  readonly deferred: number;
  /** Permanent refusals. */
  readonly bounced: number;
  /** Reports by the provider's feedback loop that arrived this day. */
  readonly complained: number;
}
export const NO_TALLY: Tally = { accepted: 0, deferred: 0, bounced: 0, complained: 0 };

export const addTally = (a: Tally, b: Partial<Tally>): Tally => ({
  accepted: a.accepted + (b.accepted ?? 0),
  deferred: a.deferred + (b.deferred ?? 0),
  bounced: a.bounced + (b.bounced ?? 0),
  complained: a.complained + (b.complained ?? 0),
});

export type Signal = 'deferred' | 'bounced' | 'complained';
export interface Threshold {
  /** Fewer of these than this say nothing, whatever the rate. */
  readonly atLeast: number;
  /** Shares of the attempts (of the accepted for complaints), 0 to 1. */
  readonly hold: number;
  readonly stepBack: number;
}
export type Thresholds = Readonly<Record<Signal, Threshold>>;

/**
 * Complaints: Google asks for less than 0.1 % and never 0.3 % (https://support.google.com/a/answer/81126). Bounces: Amazon SES reviews
 * accounts at 5 % (https://docs.aws.amazon.com/ses/latest/dg/reputationdashboardmessages.html); a warm-up is held well before.
 */
export const DEFAULT_THRESHOLDS: Thresholds = {
  deferred: { atLeast: 10, hold: 0.05, stepBack: 0.2 },
  bounced: { atLeast: 10, hold: 0.02, stepBack: 0.05 },
  complained: { atLeast: 3, hold: 0.001, stepBack: 0.003 },
};

export interface Judgement {
  readonly verdict: 'Advance' | 'Hold' | 'StepBack';
  /** The signal that decided; null when all is well. */
  readonly cause: { readonly signal: Signal; readonly rate: number } | null;
}

/** "0.40 % complained: 550 5.7.1 …" */
export const causeText = ({ signal, rate }: NonNullable<Judgement['cause']>, reply: string | null = null) =>
  `${(rate * 100).toFixed(signal === 'complained' ? 2 : 0)} % ${signal}${reply ? `: ${reply}` : ''}`;

const SIGNALS: readonly Signal[] = ['complained', 'bounced', 'deferred'];

/** The worst verdict of the three signals. */
export function judge(tally: Tally, thresholds: Thresholds): Judgement {
  const rates = SIGNALS.filter((signal) => tally[signal] >= thresholds[signal].atLeast).map((signal) => ({
    signal,
    rate: rateOf(tally, signal),
  }));
  const back = rates.find(({ signal, rate }) => rate >= thresholds[signal].stepBack);
  if (back) return { verdict: 'StepBack', cause: back };
  const held = rates.find(({ signal, rate }) => rate >= thresholds[signal].hold);
  return held ? { verdict: 'Hold', cause: held } : { verdict: 'Advance', cause: null };
}

function rateOf(tally: Tally, signal: Signal): number {
  const { accepted, deferred, bounced } = tally;
  const of = signal === 'complained' ? accepted : accepted + deferred + bounced;
  return tally[signal] / Math.max(1, of);
}
