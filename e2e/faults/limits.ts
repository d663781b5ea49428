// One provider with a tight limit, so that every fault is also held against "limits hold for the fleet". Pure.
import type { InternetRecord } from '../internet/record.ts';
import { mostWithin } from '../internet/within.ts';

/** About as much as the load brings when nothing is broken: it holds back what comes at once after a fault. */
export const LIMIT = {
  /** Its hosts are named under this. */
  provider: 'bigmail.example',
  /** Recipients from each address, in any minute wherever it begins. */
  perMinute: 40,
};

/** What says so in a QueuePolicy. */
export const SHAPING = {
  providers: [
    { name: 'bigmail', mxSuffixes: [LIMIT.provider], limits: { connections: 4, perMinute: LIMIT.perMinute } },
  ],
};

/** Recipients that an address gave the provider beyond the limit, in its worst minute; over all addresses. */
export function aboveLimit(records: readonly InternetRecord[]): number {
  const times: Record<string, number[]> = {};
  for (const one of records)
    if (one.kind === 'attempt' && one.outcome === 'delivered' && one.mx.endsWith(`.${LIMIT.provider}`)) {
      times[one.source] ??= [];
      times[one.source]?.push(one.at);
    }
  const over = Object.values(times).map((at) => mostWithin(at, 60_000) - LIMIT.perMinute);
  return over.reduce((sum, one) => sum + Math.max(0, one), 0);
}
