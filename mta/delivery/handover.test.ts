import { queuePolicySpec } from '../../resources/kinds.ts';
import { type HopId, PARCEL_VERSION, type ParcelId, type Recipient } from '../message/parcel.ts';
import { bounceDue } from './bounce.ts';
import { destinationOf, Gathering, isForgotten, onward } from './onward.ts';

const recipient = (address: string): Recipient => ({
  ...{ address, attempts: 3, dueAt: 99, lastReply: '450 later', stickySource: '192.0.2.1' },
});
const entries = ['a@x.test', 'b@x.test'].map((address, index) => ({
  ...{ hopId: 'h0' as HopId, index: index * 2, recipient: recipient(address) },
}));
const header = {
  ...{
    version: PARCEL_VERSION as typeof PARCEL_VERSION,
    id: '0000000a0000' as ParcelId,
    hopId: 'h0' as HopId,
    hop: 1,
    account: 'acme',
    pool: 'mail/main',
  },
  ...{
    sendingDomain: 'acme.test',
    priorityClass: 'bulk',
    acceptedAt: 7,
    from: 's@acme.test',
    smtpUtf8: false,
  },
  isNotification: false,
} as const;

describe('hand-over', () => {
  test('the same recipients always go under the same id to the same shard; others under another', () => {
    const first = destinationOf(header, entries, header.hopId, 8);
    expect(first).toEqual(destinationOf(header, [...entries].reverse(), header.hopId, 8));
    expect(first.shard).toBe(10 % 8);
    expect(first.hopId).not.toBe(header.hopId);
    expect(destinationOf(header, entries.slice(1), header.hopId, 8).hopId).not.toBe(first.hopId);
  });

  test('all that has happened to the recipients goes along, and the hop is counted', () => {
    const to = destinationOf(header, entries, header.hopId, 8);
    expect(onward(header, entries, Buffer.from('m'), to)).toEqual({
      ...header,
      hop: 2,
      hopId: to.hopId,
      recipients: entries.map((entry) => entry.recipient),
      message: Buffer.from('m'),
    });
  });
});

describe('gathering', () => {
  const KIB = 1024;
  test('parcels of one shard go together up to 1 MiB, and what is left at the end', () => {
    const gathering = new Gathering();
    const sizes = [400, 400, 400, 1200, 10].map((kib) => kib * KIB);
    const given = sizes.flatMap((bytes, n) => gathering.add(1, `h${n}` as HopId, bytes));
    expect(gathering.add(2, 'other' as HopId, KIB)).toEqual([]);
    expect(given).toEqual([['h0', 'h1'], ['h3']]);
    expect([...gathering.rest()]).toEqual([
      [1, ['h2', 'h4']],
      [2, ['other']],
    ]);
    expect([...gathering.rest()]).toEqual([]);
  });

  test('and up to two hundred', () => {
    const gathering = new Gathering();
    const given = Array.from({ length: 450 }, (_, n) => gathering.add(0, `h${n}` as HopId, 1)).flat();
    expect(given.map((ids) => ids.length)).toEqual([200, 200]);
  });
});

const DAY_MS = 24 * 3600_000;

test.each([
  ['just now', 5, 5, false],
  ['a day ago', 5, 5 + DAY_MS, false],
  ['more than a day ago: nobody may know it any more', 5, 6 + DAY_MS, true],
  ['by an older release, which did not write when', undefined, 6 + DAY_MS, false],
])('a hand-over that was marked %s', (_, at, now, forgotten) => {
  const to = destinationOf(header, entries, header.hopId, 8);
  expect(isForgotten(at === undefined ? to : { ...to, at }, now)).toBe(forgotten);
});

describe('who gets a bounce', () => {
  const policy = queuePolicySpec.parse({});
  test.each([
    ['an ordinary message', { from: 's@acme.test', isNotification: false }, policy, true],
    ['a notification', { from: 's@acme.test', isNotification: true }, policy, false],
    ['an empty sender', { from: '', isNotification: false }, policy, false],
    [
      'a policy without bounces',
      { from: 's@acme.test', isNotification: false },
      { ...policy, dsn: { bounces: false } },
      false,
    ],
  ])('%s', (_, message, by, due) => expect(bounceDue(message, by)).toBe(due));
});
