// A warm-up schedule: from which day of sending on how many recipients a day may be accepted.
import { type Day, daysBetween } from './day.ts';

export interface Step {
  /** From this day of the warm-up on; the first day is 1. */
  readonly day: number;
  /** Accepted recipients a day; null: warmed, no limit by warm-up any more. The last step of a schedule goes on for good. */
  readonly perDay: number | null;
}
/** In ascending order of days, beginning at day 1, never going down (IPPool's rules check it). */
export type Schedule = readonly Step[];

/**
 * What may be accepted on `day` by an address that began on `startedOn`.
 * @param delayedDays days that did not count: held, stepped back or without mail.
 * @returns recipients, or null for no limit; 0 before it began.
 */
export function allowanceOn(schedule: Schedule, startedOn: Day, day: Day, delayedDays = 0): number | null {
  const stage = stageOn(startedOn, day, delayedDays);
  return day < startedOn ? 0 : stepAt(schedule, stage).perDay;
}

/** The day of the warm-up, 1 the first; never less. */
export const stageOn = (startedOn: Day, day: Day, delayedDays = 0): number =>
  Math.max(1, daysBetween(startedOn, day) + 1 - delayedDays);

export function stepAt(schedule: Schedule, stage: number): Step {
  const step = schedule.findLast((one) => one.day <= stage);
  if (!step) throw new RangeError('a warm-up schedule must say what day 1 may send');
  return step;
}

/** Whether the schedule has been gone through: its last step is reached. */
export const isWarmed = (schedule: Schedule, stage: number): boolean =>
  stepAt(schedule, stage) === schedule.at(-1);
