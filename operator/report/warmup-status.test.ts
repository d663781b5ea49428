import { planFor } from '../../mta/policy/warmup/plan.ts';
import { beginRecord, type LedgerRecord } from '../../mta/policy/warmup/record.ts';
import { warmupSpec } from '../../resources/warmup.ts';
import {
  newSuspensions,
  suspendedColumn,
  warmingColumn,
  warmupCondition,
  warmupOf,
} from './warmup-status.ts';

const NOW = Date.parse('2026-05-01T12:00:00Z');
const DAY = 86_400_000;
const steps = [{ day: 1, perDay: 100 }, { day: 2, perDay: 200 }, { day: 3 }];
const pool = {
  warmup: warmupSpec.parse({ schedules: { google: steps, yahoo: steps } }),
  addresses: [{ address: '192.0.2.1' }, { address: '192.0.2.2', warmed: true }],
};
const ledger = (provider: string, more: Partial<LedgerRecord> = {}): LedgerRecord => {
  const plan = planFor(pool, '192.0.2.1', provider);
  if (!plan) throw new Error('no plan');
  return { ...beginRecord('192.0.2.1', provider, NOW, plan), ...more };
};
const stopped = ledger('yahoo', {
  suspended: { signal: 'bounced', rate: 0.25, reply: '550 5.7.1 blocked' },
  used: 3,
});
const shown = (...ledgers: LedgerRecord[]) => [
  { address: '192.0.2.1', warmup: warmupOf('192.0.2.1', pool, ledgers, NOW) },
  { address: '192.0.2.2' },
];

test('by provider: the suspended first, then by use, with the day, the allowance and the reply', () => {
  const ledgers = [ledger('google', { used: 40, reserved: 45 }), stopped];
  expect(warmupOf('192.0.2.1', pool, ledgers, NOW)).toEqual([
    { provider: 'yahoo', day: 1, allowance: 100, used: 3, suspended: '25 % bounced: 550 5.7.1 blocked' },
    { provider: 'google', day: 1, allowance: 100, used: 40 },
  ]);
  expect(warmupOf('192.0.2.2', pool, ledgers, NOW)).toEqual([]);
});

test('a ledger that goes on under the name of a policy is shown there alone', () => {
  const before = ledger('google', { used: 40, continuedAs: 'yahoo' });
  const shownNow = warmupOf('192.0.2.1', pool, [before, ledger('yahoo', { used: 41 })], NOW);
  expect(shownNow.map(({ provider }) => provider)).toEqual(['yahoo']);
});

test('a day that is over is shown as the next begins, although nobody has written it yet', () => {
  const good = ledger('google', {
    used: 90,
    reserved: 90,
    tally: { accepted: 90, deferred: 0, bounced: 0, complained: 0 },
  });
  expect(warmupOf('192.0.2.1', pool, [good], NOW + DAY)).toEqual([
    { provider: 'google', day: 2, allowance: 200, used: 0 },
  ]);
  const bad = { ...good, tally: { accepted: 2000, deferred: 0, bounced: 0, complained: 4 } };
  expect(warmupOf('192.0.2.1', pool, [bad], NOW + DAY)).toMatchObject([
    { day: 1, used: 0, verdict: 'Hold', because: '0.20 % complained' },
  ]);
});

test('past its schedule there is no allowance, and the address is not warming any more', () => {
  const done = ledger('google', { startedOn: '2026-04-01' });
  expect(shown(done)[0]?.warmup).toEqual([{ provider: 'google', day: 31, used: 0 }]);
  expect(warmingColumn(shown(done))).toBe('0/2');
  expect(warmingColumn(shown(done, stopped))).toBe('1/2');
});

test('the condition and the column say what is wrong', () => {
  expect(warmupCondition(shown(ledger('google')))).toMatchObject({ status: 'True', reason: 'AsExpected' });
  expect(suspendedColumn(shown(ledger('google')))).toEqual({});
  expect(warmupCondition(shown(stopped))).toMatchObject({
    status: 'False',
    reason: 'WarmupSuspended',
    message: '192.0.2.1 at yahoo: 25 % bounced: 550 5.7.1 blocked',
  });
  expect(suspendedColumn(shown(stopped))).toEqual({ suspended: '192.0.2.1' });
  const cause = { signal: 'complained', rate: 0.004 } as const;
  const held = ledger('google', { closed: { verdict: 'StepBack', cause, day: '2026-04-30' } });
  expect(warmupCondition(shown(held))).toMatchObject({
    reason: 'WarmupHeld',
    message: '192.0.2.1 at google: StepBack after 0.40 % complained',
  });
});

test('a suspension is told once, and not what was there before the first look', () => {
  const now = { records: [stopped, ledger('google')] };
  expect(newSuspensions(null, now)).toEqual([]);
  expect(newSuspensions({ records: [] }, now)).toEqual([
    'nothing more goes from 192.0.2.1 to yahoo today: 25 % bounced: 550 5.7.1 blocked',
  ]);
  expect(newSuspensions(now, now)).toEqual([]);
});
