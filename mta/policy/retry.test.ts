import fc from 'fast-check';
import { nextAttempt, type RetryPolicy } from './retry.ts';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const policy: RetryPolicy = { intervals: ['5m', '15m', '1h'], jitter: 0, maxAge: '2d' };
const middle = () => 0.5;

test.each([
  [1, 5],
  [2, 15],
  [3, 60],
  [4, 60],
  [100, 60],
  [0, 5],
])('after attempt %d it waits %d minutes', (attempts, minutes) => {
  expect(nextAttempt(policy, attempts, 0, 1000, middle)).toEqual({
    kind: 'retry',
    at: 1000 + minutes * MINUTE,
  });
});

test.each([
  [
    'before its age is reached it is tried at the very end of it',
    2 * DAY - MINUTE,
    { kind: 'retry', at: 2 * DAY },
  ],
  ['at its age it expires', 2 * DAY, { kind: 'expired' }],
  ['past its age it expires', 3 * DAY, { kind: 'expired' }],
  [
    'accepted in the future (the clock went back) it just waits',
    -DAY,
    { kind: 'retry', at: -DAY + 5 * MINUTE },
  ],
])('%s', (_, now, expected) => {
  expect(nextAttempt(policy, 1, 0, now, middle)).toEqual(expected);
});

test('jitter stays within its share, and reaches both sides', () => {
  const jittered = { ...policy, jitter: 0.2 };
  const waitWith = (random: number) => {
    const next = nextAttempt(jittered, 3, 0, 0, () => random);
    return next.kind === 'retry' ? next.at : Number.NaN;
  };
  expect(waitWith(0)).toBe(48 * MINUTE);
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (random) => {
      expect(waitWith(random)).toBeGreaterThanOrEqual(48 * MINUTE);
      expect(waitWith(random)).toBeLessThanOrEqual(72 * MINUTE);
    }),
  );
  expect(waitWith(0.999)).toBeGreaterThan(71 * MINUTE);
});
