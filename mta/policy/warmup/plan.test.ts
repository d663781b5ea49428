import { warmupSpec } from '../../../resources/warmup.ts';
import { planFor } from './plan.ts';
import { SHIPPED_SCHEDULES } from './schedules.ts';

const warmup = warmupSpec.parse({
  timeZone: 'Europe/Berlin',
  schedules: { google: [{ day: 3 }, { day: 1, perDay: 50 }] },
});
const pool = {
  warmup,
  addresses: [
    { address: 'young' },
    { address: 'old', warmed: true },
    { address: 'begun', startedOn: '2026-01-31' },
  ],
};

test.each([
  ['no snapshot yet', null, 'young'],
  ['a pool that warms nothing up', { addresses: pool.addresses }, 'young'],
  ['an address that is warmed', pool, 'old'],
  ['an address of another pool', pool, 'foreign'],
])('%s: no plan', (_, from, address) => {
  expect(planFor(from, address, 'google')).toBeNull();
});

test('the schedule is the own one, in order and with its end, or the shipped one', () => {
  expect(planFor(pool, 'young', 'google')).toEqual({
    schedule: [
      { day: 1, perDay: 50 },
      { day: 3, perDay: null },
    ],
    timeZone: 'Europe/Berlin',
    thresholds: warmup.thresholds,
    stepBackDays: 3,
    countDeferred: false,
    startedOn: null,
    keepLedgerDays: 90,
  });
  expect(planFor(pool, 'begun', 'yahoo')).toMatchObject({
    schedule: SHIPPED_SCHEDULES.yahoo,
    startedOn: '2026-01-31',
  });
});
