// What an IPPool says of the warm-up of one of its addresses at one provider. Pure.
import type { WarmupSpec } from '../../../resources/warmup.ts';
import type { WarmupPlan } from './record.ts';
import type { Schedule } from './schedule.ts';
import { scheduleFor } from './schedules.ts';

/** The part of an IPPool, or of its snapshot, that says it. */
export interface WarmupPool {
  readonly addresses: readonly {
    readonly address: string;
    readonly warmed?: boolean | undefined;
    readonly startedOn?: string | undefined;
  }[];
  readonly warmup?: WarmupSpec | undefined;
}

/** The plan; null: this address is not warmed up (it is warmed, or the pool does not do that, or does not have it). */
export function planFor(ipPool: WarmupPool | null, address: string, provider: string): WarmupPlan | null {
  const found = ipPool?.addresses.find((one) => one.address === address);
  const warmup = ipPool?.warmup;
  if (!found || !warmup || found.warmed) return null;
  const { timeZone, thresholds, stepBackDays, countDeferred, keepLedgerDays } = warmup;
  const schedule = scheduleFor(provider, scheduleMap(warmup));
  const startedOn = found.startedOn ?? null;
  return { schedule, timeZone, thresholds, stepBackDays, countDeferred, keepLedgerDays, startedOn };
}

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
