// What one holder may spend of an address's warm-up at one provider. The record (record.ts) says durably how much of the day has
// been handed out; the holder spends only what it reserved there before. A crash loses the slice it had, so the next
// holder under-spends; nothing ever over-spends, because what is reserved is counted as spent by everyone else from then on.
//
// A recipient counts on the day its grant was given, and no grant outlives its day.
import { addTally, judge, NO_TALLY, type Tally } from './health.ts';
import { type LedgerRecord, rolled, type WarmupPlan } from './record.ts';

/** At most this share of a day's allowance is reserved and not yet charged, and so lost when a holder dies; at least one recipient. */
export const SLICE_SHARE = 0.05;

export const sliceOf = (allowance: number): number => Math.max(1, Math.floor(allowance * SLICE_SHARE));

/** A holder's view: the record as last written or read, and what it has in hand of it. */
export interface Ledger {
  readonly record: LedgerRecord;
  /** Reserved and free to claim. */
  readonly free: number;
  /** In grants of this day that have not been settled. */
  readonly claimed: number;
  /** Settled since the record was written. */
  readonly news: { readonly tally: Tally; readonly used: number };
  readonly suspended: LedgerRecord['suspended'];
}

/** A new holder starts from what is durable and nothing else. */
export const openLedger = (record: LedgerRecord): Ledger => ({
  record,
  free: 0,
  claimed: 0,
  news: { tally: NO_TALLY, used: 0 },
  suspended: record.suspended,
});

/** A record to be written by compare-and-set, and what it reserves. One at a time for each ledger. */
export interface Reservation {
  readonly record: LedgerRecord;
  /** Below zero: given back. */
  readonly units: number;
  /** The news it has taken in. */
  readonly news: Ledger['news'];
}

/**
 * The next slice: as many of `want` as the day and the slice allow. Its record also closes a day that is over and takes in what was
 * settled, so writing one of 0 units is how outcomes become durable. Spend nothing of it before the write is confirmed; if
 * its fate is unknown, read the record again (`reread`): what it may have reserved is lost, what it reported may count twice.
 */
export function reserve(ledger: Ledger, now: number, want: number, plan: WarmupPlan): Reservation {
  const record = rolled(withNews(ledger), now, plan);
  const inHand = record.day === ledger.record.day ? ledger.free + ledger.claimed : 0;
  // What was sent without a limit counts when one comes, and so does what went beyond a claim.
  const reserved = Math.max(record.reserved, record.used + inHand);
  const units = reservable({ ...record, reserved }, want, inHand);
  return { record: { ...record, reserved: reserved + units }, units, news: ledger.news };
}

/**
 * Gives back what is in hand and free, for a holder that gives up its address: whoever comes next may spend it. Open grants stay
 * reserved; call it again when they have been settled. Written and confirmed like a slice.
 */
export function giveBack(ledger: Ledger, now: number, plan: WarmupPlan): Reservation {
  const { record, news } = reserve(ledger, now, 0, plan);
  const units = record.day === ledger.record.day ? -ledger.free : 0;
  return { record: { ...record, reserved: record.reserved + units }, units, news };
}

function reservable(record: LedgerRecord, want: number, inHand: number): number {
  const { allowance, reserved, suspended } = record;
  if (allowance === null || suspended) return 0;
  return Math.max(0, Math.min(want, sliceOf(allowance) - inHand, allowance - reserved));
}

function withNews({ record, news, suspended }: Ledger): LedgerRecord {
  return { ...record, used: record.used + news.used, tally: addTally(record.tally, news.tally), suspended };
}

/** The ledger after the reservation's record was written. */
export function confirmed(ledger: Ledger, { record, units, news }: Reservation): Ledger {
  const sameDay = record.day === ledger.record.day;
  const left = {
    tally: subtract(ledger.news.tally, news.tally),
    used: sameDay ? ledger.news.used - news.used : 0,
  };
  return {
    record,
    free: (sameDay ? ledger.free : 0) + units,
    claimed: sameDay ? ledger.claimed : 0,
    news: left,
    suspended: sameDay ? (ledger.suspended ?? record.suspended) : null,
  };
}

const subtract = (a: Tally, b: Tally): Tally => ({
  accepted: a.accepted - b.accepted,
  deferred: a.deferred - b.deferred,
  bounced: a.bounced - b.bounced,
  complained: a.complained - b.complained,
});

/** The ledger on the record as someone else left it (compare-and-set conflict, or a write of unknown fate). What is in hand stays. */
export function reread(ledger: Ledger, record: LedgerRecord): Ledger {
  const sameDay = record.day === ledger.record.day;
  return {
    ...ledger,
    record,
    free: sameDay ? ledger.free : 0,
    claimed: sameDay ? ledger.claimed : 0,
    suspended: record.suspended ?? (sameDay ? ledger.suspended : null),
  };
}

/** The ledger when what it has free may have been given back already. */
export const forfeited = (ledger: Ledger): Ledger => ({ ...ledger, free: 0 });

/** Recipients given to one connection. */
export interface Claim {
  readonly units: number;
  readonly day: string;
  /** No transaction under it may start from then on, ms since the epoch. */
  readonly until: number;
}
export type ClaimAnswer =
  | { readonly ledger: Ledger; readonly claim: Claim }
  | { readonly refused: 'Busy' } // what the slice allows is in open grants: come back when one ends
  | { readonly refused: 'Reserve' } // nothing in hand: reserve a slice first (also when the day is over)
  | { readonly refused: 'Exhausted' | 'Suspended'; readonly until: number };

/** Takes up to `want` recipients out of what is in hand. Nothing is written. */
export function claim(ledger: Ledger, now: number, want: number): ClaimAnswer {
  const { record, suspended } = ledger;
  if (now >= record.endsAt) return { refused: 'Reserve' };
  if (suspended) return { refused: 'Suspended', until: record.endsAt };
  const units = Math.min(want, inHand(ledger));
  if (units > 0)
    return {
      ledger: {
        ...ledger,
        free: record.allowance === null ? 0 : ledger.free - units,
        claimed: ledger.claimed + units,
      },
      claim: { units, day: record.day, until: record.endsAt },
    };
  if (reservable(record, want, ledger.free + ledger.claimed) > 0) return { refused: 'Reserve' };
  return ledger.claimed > 0 ? { refused: 'Busy' } : { refused: 'Exhausted', until: record.endsAt };
}

/** Free units the allowance still covers: a plan that was lowered binds what was reserved before it, too. */
function inHand({ record: { allowance, reserved }, free }: Ledger): number {
  return allowance === null
    ? Number.POSITIVE_INFINITY
    : Math.min(free, Math.max(0, allowance - (reserved - free)));
}

/** What became of a claim's recipients. */
export interface Outcome extends Partial<Tally> {
  /** Deferred for reasons that say nothing of the address, such as greylisting or a full mailbox. */
  readonly delayed?: number | undefined;
  /** The last refusal, for status. */
  readonly reply?: string | undefined;
}

/**
 * Gives a claim back with what became of it. Accepted recipients are charged, deferred ones if the plan says so, the rest may be
 * claimed again. A claim about which nothing is heard is settled as `{accepted: claim.units}`.
 */
export function settle(ledger: Ledger, one: Claim, outcome: Outcome, plan: WarmupPlan): Ledger {
  const charged =
    (outcome.accepted ?? 0) + (plan.countDeferred ? (outcome.deferred ?? 0) + (outcome.delayed ?? 0) : 0);
  const after = observe(ledger, outcome, plan);
  const news = { ...after.news, used: after.news.used + (one.day === ledger.record.day ? charged : 0) };
  if (one.day !== ledger.record.day) return { ...after, news };
  const back = ledger.record.allowance === null ? 0 : one.units - charged;
  return {
    ...after,
    news,
    free: Math.max(0, ledger.free + back),
    claimed: Math.max(0, ledger.claimed - one.units),
  };
}

/** Takes in outcomes that belong to no claim. */
export function observe(ledger: Ledger, outcome: Outcome, plan: WarmupPlan): Ledger {
  const news = { ...ledger.news, tally: addTally(ledger.news.tally, outcome) };
  return judged({ ...ledger, news }, plan, outcome.reply ?? null);
}

/**
 * Takes in complaints, which are known by their revisions, on the day that the record is open for. They stand in the record and not in
 * the news: what a record counts and up to where it has counted are one write, so each counts once, whoever holds the address and whatever
 * became of a write.
 */
export function withComplaints(ledger: Ledger, revisions: readonly number[], plan: WarmupPlan): Ledger {
  const { complaintsTo = 0, tally } = ledger.record;
  const more = revisions.filter((one) => one > complaintsTo);
  if (more.length === 0) return ledger;
  const record = {
    ...ledger.record,
    tally: addTally(tally, { complained: more.length }),
    complaintsTo: more.reduce((a, b) => Math.max(a, b)),
  };
  return judged({ ...ledger, record }, plan, null);
}

/** Suspended when the day has passed a step-back threshold. */
function judged(ledger: Ledger, plan: WarmupPlan, reply: string | null): Ledger {
  const { record, news, suspended } = ledger;
  if (suspended || record.allowance === null) return ledger;
  const { verdict, cause } = judge(addTally(record.tally, news.tally), plan.thresholds);
  return verdict === 'StepBack' && cause ? { ...ledger, suspended: { ...cause, reply } } : ledger;
}

/** Whether a slice should be fetched before it is needed: less than half of one is in hand. */
export function wantsSlice(
  { record: { allowance, reserved, endsAt }, free, claimed, suspended }: Ledger,
  now: number,
): boolean {
  if (now >= endsAt) return true;
  if (allowance === null || suspended) return false;
  return reserved < allowance && (free + claimed) * 2 < sliceOf(allowance);
}
