import type { AddressLease } from '../bus/snapshot.ts';
import { decideFence, type FenceTimes, observeLeases, type ReadLease, type Seen } from './fence_decide.ts';

const TIMES: FenceTimes = { leaseMs: 10_000, connectionMs: 780_000, pollMs: 1000 };
const lease = (over: Partial<AddressLease> & { uid?: string } = {}): AddressLease => {
  const { uid = 'e1', ...rest } = over;
  const holder = { pod: `pod-${uid}`, uid, node: 'n', host: '192.0.2.9', port: 8443 };
  return { version: 1, address: '192.0.2.1', ipPool: 'mail/ips', holder, epoch: 1, renewals: 7, ...rest };
};
const read = (movable: boolean, over: Parameters<typeof lease>[0] = {}): ReadLease => ({
  lease: lease(over),
  movable,
});
/** The readings one second apart, beginning at 0; null is one that failed. */
const watched = (...readings: (readonly ReadLease[] | null)[]): Seen =>
  readings.reduce<Seen>((seen, one, second) => observeLeases(seen, one, second * 1000), new Map());
const times = <T>(count: number, one: T): T[] => Array.from({ length: count }, () => one);
const judged = (seen: Seen, nowMs: number, confirmed: readonly string[] = []) => {
  const { waiting, unconfirmed } = decideFence(seen, new Set(confirmed), 0, nowMs, TIMES);
  return { waiting: waiting.map(({ uid }) => uid), unconfirmed };
};

test.each([
  ['confirmed', watched([read(true)]), 0, ['e1'], [], []],
  ['not confirmed', watched([read(true)]), 0, [], ['e1'], []],
  ['released: it has no connection open', watched([read(true, { released: true })]), 0, [], [], []],
  ['no lease at all', watched([]), 0, [], [], []],
  ['standing still for less than its length', watched(...times(10, [read(true)])), 9999, [], ['e1'], []],
  ['movable, run out', watched(...times(11, [read(true)])), 10_000, [], [], []],
  [
    'fixed, run out: its holder may go on',
    watched(...times(11, [read(false)])),
    10_000,
    [],
    [],
    ['192.0.2.1'],
  ],
] as const)('%s', (_, seen, nowMs, confirmed, waiting, unconfirmed) => {
  expect(judged(seen, nowMs, confirmed)).toEqual({ waiting, unconfirmed });
});

test('a renewal, another epoch or another holder begins the wait anew', () => {
  for (const over of [{ renewals: 8 }, { epoch: 2 }, { uid: 'e2' }]) {
    const seen = watched(...times(10, [read(true)]), [read(true, over)]);
    expect(judged(seen, 12_000).waiting).toEqual([over.uid ?? 'e1']);
    expect(judged(seen, 20_000).waiting).toEqual([]);
  }
});

test('what was not watched without a gap does not count', () => {
  const seen = watched(...times(9, [read(true)]), null, [read(true)]);
  expect(judged(seen, 12_000).waiting).toEqual(['e1']);
  expect(judged(seen, 20_000).waiting).toEqual([]);
});

test('a holder that renews and never answers is waited for as long as a connection can live', () => {
  const seen = observeLeases(new Map(), [read(true)], 779_000);
  expect(judged(seen, 779_999).waiting).toEqual(['e1']);
  expect(judged(seen, 780_000)).toEqual({ waiting: [], unconfirmed: ['192.0.2.1'] });
});

test('one that handed over and whose connections still end must confirm too', () => {
  const former = lease({ uid: 'e0' }).holder;
  const seen = watched([read(true, { lingering: [{ holder: former, open: { google: 1 } }] })]);
  expect(judged(seen, 0).waiting).toEqual(['e0', 'e1']);
  expect(judged(seen, 0, ['e1']).waiting).toEqual(['e0']);
  expect(judged(seen, 20_000, ['e1']).waiting).toEqual(['e0']);
  expect(judged(seen, 0, ['e0', 'e1']).waiting).toEqual([]);
  const free = watched([read(true, { released: true, lingering: [{ holder: former, open: {} }] })]);
  expect(judged(free, 0).waiting).toEqual(['e0']);
});

test('a holder of several addresses confirms for all of them', () => {
  const seen = watched([
    read(true),
    read(false, { address: '192.0.2.2' }),
    read(true, { address: '192.0.2.3', uid: 'e2' }),
  ]);
  expect(judged(seen, 0).waiting).toEqual(['e1', 'e2']);
  expect(judged(seen, 0, ['e1']).waiting).toEqual(['e2']);
});
