// What is durable of a warm-up: one record per (address, provider), KV key `warmup.<address>.<provider>`, written by
// compare-and-set on the key's revision. It belongs to the address: holders, pods, nodes and pools come and go.
import { type Day, dayAt, daysBetween } from './day.ts';
import { type Judgement, judge, NO_TALLY, type Tally, type Thresholds } from './health.ts';
import { allowanceOn, type Schedule, stageOn } from './schedule.ts';

/** What the policy says; it may change at any time and never opens a fresh budget. */
export interface WarmupPlan {
  readonly schedule: Schedule;
  /** IANA time zone in which days begin. */
  readonly timeZone: string;
  readonly thresholds: Thresholds;
  /** How many days of the schedule a step back takes. */
  readonly stepBackDays: number;
  /** Whether a deferred attempt costs as much as an accepted one. */
  readonly countDeferred: boolean;
  /** When the address began elsewhere, for a ledger that begins now; null: it begins today. */
  readonly startedOn: Day | null;
  /** How long the record is kept once its address is in no pool. */
  readonly keepLedgerDays: number;
}

export interface LedgerRecord {
  readonly version: 1;
  readonly address: string;
  readonly provider: string;
  readonly startedOn: Day;
  /** Days since then that did not count: held, stepped back, without mail. */
  readonly delayedDays: number;
  readonly day: Day;
  /** Until when `day` lasts, ms since the epoch. Before it no other day begins, whatever clock and time zone say. */
  readonly endsAt: number;
  /** Null: no limit by warm-up. */
  readonly allowance: number | null;
  /** Handed out to holders of this day; all of it counts as spent for whoever comes next. Never above the allowance in force then. */
  readonly reserved: number;
  /** Charged to this day, as far as it was reported; for status. */
  readonly used: number;
  /** Outcomes of this day, as far as they were reported. */
  readonly tally: Tally;
  /** Complaints up to this revision of their bucket are in a tally; absent: none is. */
  readonly complaintsTo?: number;
  /** The reply that passed a step-back threshold: nothing more this day. */
  readonly suspended: (NonNullable<Judgement['cause']> & { readonly reply: string | null }) | null;
  /** How the last day with mail was judged; for status. */
  readonly closed: (Judgement & { readonly day: Day }) | null;
  /** How many days after `day` the record is kept when its address is in no pool any more. */
  readonly keepDays: number;
  /** The name that a policy gave the provider afterwards: it goes on under that. */
  readonly continuedAs?: string;
}

/** After this many days without mail an address is cold again (Twilio SendGrid says 30). */
export const COLD_AFTER_DAYS = 30;

/** The record of an address that begins now. */
export function beginRecord(address: string, provider: string, now: number, plan: WarmupPlan): LedgerRecord {
  const { day, endsAt } = dayAt(now, plan.timeZone);
  const startedOn = plan.startedOn ?? day;
  return {
    version: 1,
    address,
    provider,
    startedOn,
    delayedDays: 0,
    day,
    endsAt,
    allowance: allowanceOn(plan.schedule, startedOn, day),
    reserved: 0,
    used: 0,
    tally: NO_TALLY,
    suspended: null,
    closed: null,
    keepDays: plan.keepLedgerDays,
  };
}

/** The record as it stands at `now`: a day that is over is judged and closed, and the allowance is that of the plan. */
export function rolled(record: LedgerRecord, now: number, plan: WarmupPlan): LedgerRecord {
  const current = now < record.endsAt ? record : nextDay(record, now, plan);
  const allowance = allowanceOn(plan.schedule, current.startedOn, current.day, current.delayedDays);
  const { keepLedgerDays: keepDays } = plan;
  const same = allowance === current.allowance && keepDays === current.keepDays;
  return same ? current : { ...current, allowance, keepDays };
}

function nextDay(record: LedgerRecord, now: number, plan: WarmupPlan): LedgerRecord {
  const { day, endsAt } = dayAt(now, plan.timeZone);
  // The time zone moved westwards: the same date goes on, on the same budget.
  if (day <= record.day) return { ...record, endsAt };
  const idle = record.reserved === 0 && record.used === 0;
  const judgement = judgeDay(record, plan);
  return {
    ...record,
    day,
    endsAt,
    delayedDays: delayed(record, day, idle ? null : judgement, plan),
    reserved: 0,
    used: 0,
    tally: NO_TALLY,
    suspended: null,
    closed: idle ? record.closed : { ...judgement, day: record.day },
  };
}

/** A day that was ended early stays a bad one, however late good news came in. */
function judgeDay({ suspended, tally }: LedgerRecord, plan: WarmupPlan): Judgement {
  if (!suspended) return judge(tally, plan.thresholds);
  return { verdict: 'StepBack', cause: { signal: suspended.signal, rate: suspended.rate } };
}

function delayed(record: LedgerRecord, day: Day, judged: Judgement | null, plan: WarmupPlan): number {
  const age = daysBetween(record.startedOn, day);
  const gap = daysBetween(record.day, day) - 1;
  if (gap >= COLD_AFTER_DAYS) return age;
  const more = { Advance: 0, Hold: 1, StepBack: 1 + plan.stepBackDays };
  // A warmed address is past this: what befalls it is the automation's business, not the warm-up's.
  const verdict = record.allowance === null ? 'Advance' : judged?.verdict;
  const days = record.delayedDays + gap + (verdict ? more[verdict] : 1);
  return Math.min(days, age);
}

/** The day of the schedule that the record stands at; 1 the first. */
export const stageOf = (record: LedgerRecord): number =>
  stageOn(record.startedOn, record.day, record.delayedDays);
