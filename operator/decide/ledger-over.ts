// Which warm-up ledgers are over. Pure. A ledger belongs to its address and outlives pools; it goes when its address has stood in
// no IPPool for the time that the last pool stated, counted from its last day. One of an address that is there goes when it has been
// idle as long: it would begin again anyway. Unless the address states when it began elsewhere: a new ledger would begin there.
import { dayAt, daysBetween } from '../../mta/policy/warmup/day.ts';
import { COLD_AFTER_DAYS, type LedgerRecord } from '../../mta/policy/warmup/record.ts';

export interface KnownAddress {
  readonly address: string;
  readonly startedOn?: string | undefined;
}

export function isOver(record: LedgerRecord, now: number, known: readonly KnownAddress[]): boolean {
  const idleDays = daysBetween(record.day, dayAt(now, 'UTC').day);
  if (idleDays <= Math.max(COLD_AFTER_DAYS, record.keepDays)) return false;
  const there = known.find(({ address }) => address === record.address);
  return !there || there.startedOn === undefined;
}
