import type { LedgerRecord } from '../../mta/policy/warmup/record.ts';
import { isOver } from './ledger-over.ts';

const NOW = Date.parse('2026-06-30T10:00:00Z');
const record = (day: string, keepDays = 40) => ({ address: '192.0.2.1', day, keepDays }) as LedgerRecord;
const there = [{ address: '192.0.2.1' }];

test.each([
  ['of today, its address gone', record('2026-06-30'), [], false],
  ['within its time', record('2026-05-21'), [], false],
  ['past its time', record('2026-05-20'), [], true],
  ['of an address that is there and has been idle as long', record('2026-05-20'), there, true],
  ['of one that is there and has not', record('2026-05-22'), there, false],
  [
    'of one that would begin in the middle again',
    record('2026-01-01'),
    [{ ...there[0], startedOn: '2025-12-01' }],
    false,
  ],
  ['that was to be kept for less than an address takes to get cold', record('2026-06-20', 1), [], false],
] as const)('a ledger %s', (_, one, known, over) => {
  expect(isOver(one, NOW, known as typeof there)).toBe(over);
});
