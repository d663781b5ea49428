// What an IPPool says of the warm-up of one of its addresses at one provider. Pure.
import type { IPPoolSnapshot } from '../../bus/snapshot.ts';
import type { WarmupPlan } from '../../policy/warmup/record.ts';
import type { Schedule } from '../../policy/warmup/schedule.ts';
import { scheduleFor } from '../../policy/warmup/schedules.ts';

/** The plan; null: this address is not warmed up (it is warmed, or the pool does not do that, or does not have it). */
export function planFor(
  ipPool: Pick<IPPoolSnapshot, 'addresses' | 'warmup'> | null,
  address: string,
  provider: string,
): WarmupPlan | null {
  const found = ipPool?.addresses.find((one) => one.address === address);
  const warmup = ipPool?.warmup;
  if (!found || !warmup || found.warmed) return null;
  const { timeZone, thresholds, stepBackDays, countDeferred, keepLedgerDays } = warmup;
  const schedule = scheduleFor(provider, scheduleMap(warmup));
  const startedOn = found.startedOn ?? null;
  return { schedule, timeZone, thresholds, stepBackDays, countDeferred, keepLedgerDays, startedOn };
}

type WarmupSpec = NonNullable<IPPoolSnapshot['warmup']>;
const known = new WeakMap<WarmupSpec, Readonly<Record<string, Schedule>>>();

/** Looked up for every connection, so made once for each snapshot. */
function scheduleMap(warmup: WarmupSpec): Readonly<Record<string, Schedule>> {
  const before = known.get(warmup);
  if (before) return before;
  const made = Object.fromEntries(
    Object.entries(warmup.schedules).map(([provider, steps]) => [
      provider,
      steps.map(({ day, perDay }) => ({ day, perDay: perDay ?? null })),
    ]),
  );
  known.set(warmup, made);
  return made;
}
