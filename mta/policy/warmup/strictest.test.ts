import type { LedgerRecord } from './record.ts';
import { strictestLedger } from './strictest.ts';

const ledger = (over: Partial<LedgerRecord>) =>
  ({ endsAt: 2, reserved: 10, suspended: null, ...over }) as LedgerRecord;
const suspended = { signal: 'complaints', rate: 0.5, reply: null } as unknown as LedgerRecord['suspended'];

test.each([
  ['the later day', { endsAt: 1, reserved: 50 }, {}, { endsAt: 2, reserved: 10 }],
  ['of one day the one of which more is spent', { reserved: 12 }, {}, { reserved: 12 }],
  ['and a suspension with it', { reserved: 12 }, { suspended }, { reserved: 12, suspended }],
  ['but none of a day before', {}, { endsAt: 1, suspended }, { endsAt: 2, suspended: null }],
])('%s', (_, one, other, expected) => {
  for (const [a, b] of [
    [one, other],
    [other, one],
  ] as const)
    expect(strictestLedger(ledger(a), ledger(b))).toMatchObject(expected);
});
