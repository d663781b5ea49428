import { allowanceOn, isWarmed, type Schedule } from './schedule.ts';
import { DEFAULT_SCHEDULE, SHIPPED_SCHEDULES, scheduleFor } from './schedules.ts';

const schedule: Schedule = [
  { day: 1, perDay: 100 },
  { day: 3, perDay: 500 },
  { day: 10, perDay: null },
];

test.each([
  ['2026-03-27', 0, 0], // before it began
  ['2026-03-28', 0, 100],
  ['2026-03-29', 0, 100], // over a change of clocks
  ['2026-03-30', 0, 500],
  ['2026-03-30', 1, 100],
  ['2026-03-30', 99, 100], // never before day 1
  ['2026-04-05', 0, 500],
  ['2026-04-06', 0, null],
  ['2031-01-01', 0, null],
])('on %s with %d days delayed: %p', (day, delayed, allowance) => {
  expect(allowanceOn(schedule, '2026-03-28', day, delayed)).toBe(allowance);
});

test('warmed is who has reached the last step', () => {
  expect(isWarmed(schedule, 9)).toBe(false);
  expect(isWarmed(schedule, 10)).toBe(true);
});

describe.each([...Object.entries(SHIPPED_SCHEDULES), ['any other', DEFAULT_SCHEDULE] as const])(
  'the shipped schedule for %s',
  (_, shipped) => {
    const numbers = shipped.map((step) => step.perDay ?? Number.POSITIVE_INFINITY);
    test('begins at day 1, rises, at most doubles, and ends without a limit in five to seven weeks', () => {
      expect(shipped[0]?.day).toBe(1);
      expect(shipped.map((step) => step.day)).toEqual(
        [...new Set(shipped.map((step) => step.day))].sort((a, b) => a - b),
      );
      for (const [index, perDay] of numbers.slice(1, -1).entries()) {
        expect(perDay).toBeGreaterThan(numbers[index] as number);
        expect(perDay).toBeLessThanOrEqual(2 * (numbers[index] as number));
      }
      expect(shipped.at(-1)?.perDay).toBeNull();
      expect(shipped.at(-1)?.day).toBeGreaterThanOrEqual(35);
      expect(shipped.at(-1)?.day).toBeLessThanOrEqual(49);
    });
  },
);

test("a pool's own schedule goes before the shipped one, which goes before the default", () => {
  expect(scheduleFor('google', { google: schedule.toReversed() })).toEqual(schedule);
  expect(scheduleFor('google')).toEqual(SHIPPED_SCHEDULES.google);
  expect(scheduleFor('example.com')).toEqual(DEFAULT_SCHEDULE);
  expect(scheduleFor('constructor')).toEqual(DEFAULT_SCHEDULE);
});
