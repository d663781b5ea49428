// Of two ledgers of an address at a provider, as when it was counted under two names, the one to go on from. Pure.
import type { LedgerRecord } from './record.ts';

/** The later day; of one day the one of which more is spent. A suspension of that day stands, whichever has it. */
export function strictestLedger(one: LedgerRecord, other: LedgerRecord): LedgerRecord {
  if (one.endsAt !== other.endsAt) return one.endsAt > other.endsAt ? one : other;
  const [more, less] = other.reserved > one.reserved ? [other, one] : [one, other];
  return { ...more, suspended: more.suspended ?? less.suspended };
}
