import type { HopId, Recipient } from '../message/parcel.ts';
import { groupEntries } from './feed.ts';
import { arrivalOf, domainOf, fastDomain } from './intake.ts';
import { awaitingBounce } from './results.ts';

const to = (address: string, over: Partial<Recipient> = {}): Recipient => ({
  ...{ address, attempts: 0, dueAt: null, lastReply: null, stickySource: null },
  ...over,
});

test.each([
  [false, null, 'new'],
  [true, null, 'in hand'],
  [true, 'held', 'in hand'],
  [false, 'held', 'held'],
  [false, 'finished', 'finished'],
] as const)('a hop id that is in hand: %s, known: %s → %s', (inHand, known, arrival) => {
  expect(arrivalOf(inHand, known)).toBe(arrival);
});

test.each<[string, readonly Recipient[], string | null]>([
  ['one destination', [to('a@X.test'), to('b@x.TEST')], 'x.test'],
  ['two destinations', [to('a@x.test'), to('b@y.test')], null],
  ['not due yet', [to('a@x.test', { dueAt: 1001 })], null],
  ['due by now', [to('a@x.test', { dueAt: 1000 })], 'x.test'],
  [
    'only a bounce to publish',
    [awaitingBounce(to('a@x.test'), { kind: 'bounced', reply: '550' }, -99_999)],
    null,
  ],
  ['more than one transaction takes', Array.from({ length: 101 }, (_, n) => to(`u${n}@x.test`)), null],
  ['nobody', [], null],
])('fast path: %s', (_, recipients, domain) => {
  expect(fastDomain(recipients, 1000)).toBe(domain);
});

test.each([
  ['a@b@x.test', 'x.test'],
  ['"a@b"@x.test', 'x.test'],
  ['postmaster', ''],
  ['u@[192.0.2.1]', '[192.0.2.1]'],
])('the domain of %s', (address, domain) => {
  expect(domainOf(address)).toBe(domain);
});

test('entries go together by parcel, domain and address to return from, a hundred at most', () => {
  const entry = (hopId: string, index: number, address: string, stickySource: string | null = null) => ({
    hopId: hopId as HopId,
    index,
    recipient: to(address, { stickySource }),
  });
  const groups = groupEntries([
    entry('p', 0, 'a@x.test'),
    entry('p', 1, 'b@X.test'),
    entry('p', 2, 'c@y.test'),
    entry('q', 0, 'a@x.test'),
    entry('p', 3, 'd@x.test', '192.0.2.1'),
  ]);
  expect(groups.map(({ entries }) => entries.map(({ hopId, index }) => `${hopId}${index}`))).toEqual([
    ['p0', 'p1'],
    ['p2'],
    ['q0'],
    ['p3'],
  ]);
  const many = groupEntries(Array.from({ length: 250 }, (_, n) => entry('p', n, `u${n}@x.test`)));
  expect(many.map(({ entries }) => entries.length).sort()).toEqual([100, 100, 50]);
});
