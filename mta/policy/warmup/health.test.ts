import { DEFAULT_THRESHOLDS, judge, type Tally } from './health.ts';

const day = (accepted: number, deferred: number, bounced: number, complained: number): Tally => ({
  accepted,
  deferred,
  bounced,
  complained,
});

test.each([
  ['nothing sent', day(0, 0, 0, 0), 'Advance', null],
  ['a clean day', day(1000, 10, 5, 0), 'Advance', null],
  ['few deferrals at a high rate say nothing', day(5, 9, 0, 0), 'Advance', null],
  ['deferrals at 5 %', day(950, 50, 0, 0), 'Hold', 'deferred'],
  ['deferrals at 20 %', day(800, 200, 0, 0), 'StepBack', 'deferred'],
  ['bounces at 2 %', day(980, 0, 20, 0), 'Hold', 'bounced'],
  ['bounces at 5 %', day(950, 0, 50, 0), 'StepBack', 'bounced'],
  ['two complaints of a hundred are too few', day(100, 0, 0, 2), 'Advance', null],
  ['complaints at 0.1 %', day(3000, 0, 0, 3), 'Hold', 'complained'],
  ['complaints at 0.3 %', day(1000, 0, 0, 3), 'StepBack', 'complained'],
  ['complaints about earlier mail on a day without', day(0, 0, 0, 3), 'StepBack', 'complained'],
  ['the worst signal decides', day(3000, 300, 600, 3), 'StepBack', 'bounced'],
])('%s: %s', (_, tally, verdict, signal) => {
  const judged = judge(tally, DEFAULT_THRESHOLDS);
  expect(judged.verdict).toBe(verdict);
  expect(judged.cause?.signal ?? null).toBe(signal);
});
