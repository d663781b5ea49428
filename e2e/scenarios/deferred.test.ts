import type { InternetRecord } from '../internet/record.ts';
import { patienceOf } from './deferred.ts';

const seen = (recipient: string, ...seconds: readonly number[]): InternetRecord[] =>
  seconds.map((at) => ({ kind: 'attempt', recipient, at: at * 1000 }) as InternetRecord);

test.each([
  ['in time, and late', [0, 20, 100, 190], []],
  ['the first retry too early', [0, 19.9, 70], ['a@x.test: after 1 attempts, 19.9 s']],
  ['a schedule that began anew', [0, 20, 60, 80], ['a@x.test: after 3 attempts, 20 s']],
  ['two attempts at once', [0, 0], ['a@x.test: after 1 attempts, 0 s']],
])('%s', (_, times, early) => {
  const records = [...seen('a@x.test', ...times), ...seen('b@x.test', 0)].reverse();
  expect(patienceOf(records, [20, 40, 60])).toEqual({ mostAttempts: times.length, early });
});
