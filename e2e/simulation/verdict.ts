// What the provider's own count says about the ledger.
import { sliceOf } from '../../mta/policy/warmup/ledger.ts';
import type { Track } from './fleet.ts';

export interface Verdict {
  readonly days: number;
  readonly accepted: number;
  readonly crashes: number;
  /** Days on which more was accepted than allowed: must be 0. */
  readonly overspent: number;
  /** Days that were under-spent by more than a slice for each crash, although there was mail enough: must be 0. */
  readonly underspentBeyondSlices: number;
  /** Share of the allowance that dead holders took with them. */
  readonly lostShare: number;
  readonly suspended: number;
}

export function judge(tracks: readonly Track[]): Verdict {
  const all = tracks.flatMap((track) => track.days);
  const limited = all.flatMap((one) =>
    one.allowance === null ? [] : [{ ...one, allowance: one.allowance }],
  );
  // A day that ends early is meant to be under-spent.
  const whole = limited.filter((one) => !one.suspended);
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const allowed = sum(whole.map((one) => one.allowance));
  return {
    days: all.length,
    accepted: sum(all.map((one) => one.accepted)),
    crashes: sum(all.map((one) => one.crashes)),
    overspent: limited.filter((one) => one.accepted > one.allowance).length,
    underspentBeyondSlices: whole.filter(
      (one) => one.allowance - one.accepted > one.crashes * sliceOf(one.allowance),
    ).length,
    lostShare: 1 - sum(whole.map((one) => one.accepted)) / allowed,
    suspended: all.filter((one) => one.suspended).length,
  };
}
