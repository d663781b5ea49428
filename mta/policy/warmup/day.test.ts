import fc from 'fast-check';
import { addDays, dayAt, daysBetween } from './day.ts';

const HOUR = 3_600_000;
const at = (text: string) => Date.parse(text);

test.each([
  ['UTC', '2026-03-28T23:59:59.999Z', '2026-03-28', '2026-03-29T00:00:00Z'],
  ['Europe/Berlin', '2026-03-28T23:00:00Z', '2026-03-29', '2026-03-29T22:00:00Z'], // 23 hours
  ['Europe/Berlin', '2026-10-24T22:00:00Z', '2026-10-25', '2026-10-25T23:00:00Z'], // 25 hours
  ['America/Sao_Paulo', '2018-11-04T02:59:59Z', '2018-11-03', '2018-11-04T03:00:00Z'], // the next day has no midnight
  ['Pacific/Apia', '2011-12-30T09:00:00Z', '2011-12-29', '2011-12-30T10:00:00Z'], // 30 December did not happen there
  ['Australia/Lord_Howe', '2026-04-04T13:00:00Z', '2026-04-05', '2026-04-05T13:30:00Z'], // 24.5 hours
])('%s at %s: %s until %s', (zone, now, day, endsAt) => {
  expect(dayAt(at(now), zone)).toEqual({ day, endsAt: at(endsAt) });
});

test('an unknown time zone is refused', () => {
  expect(() => dayAt(0, 'Mars/Olympus')).toThrow('time zone');
});

test('the day changes exactly at its end, in every zone', () => {
  const zones = fc.constantFrom(
    'UTC',
    'Europe/Berlin',
    'America/New_York',
    'Asia/Kathmandu',
    'Africa/Casablanca',
  );
  fc.assert(
    fc.property(zones, fc.integer({ min: 0, max: at('2050-01-01T00:00:00Z') }), (zone, now) => {
      const { day, endsAt } = dayAt(now, zone);
      expect(endsAt - now).toBeGreaterThan(0);
      expect(endsAt - now).toBeLessThanOrEqual(25 * HOUR);
      expect(dayAt(endsAt - 1, zone).day).toBe(day);
      expect(dayAt(endsAt, zone).day).toBe(addDays(day, 1));
    }),
  );
});

test.each([
  ['2026-02-27', '2026-03-01', 2],
  ['2024-02-27', '2024-03-01', 3],
  ['2026-03-01', '2026-02-27', -2],
  ['2026-01-01', '2026-01-01', 0],
])('from %s to %s are %d days', (from, to, days) => {
  expect(daysBetween(from, to)).toBe(days);
  expect(addDays(from, days)).toBe(to);
});
