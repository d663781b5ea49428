import type { AddressLease } from '../bus/snapshot.ts';
import { decideTake, LEASE_TIMES, observe } from './hold.ts';
import { holder, Kv, machine, two } from './keeper.fixture.ts';

const record = (uid: string, epoch: number, more: Partial<AddressLease> = {}): AddressLease => ({
  version: 1,
  address: '198.51.100.10',
  ipPool: 'mail/ips',
  holder: holder(uid),
  epoch,
  renewals: 0,
  ...more,
});

const claimant = (rank = 0, node = 'node-a') => ({ uid: 'a', node, rank, wallNow: 1.8e12 });

describe('when an address may be taken', () => {
  const seen = (lease: AddressLease | null, sinceMs = 0) => ({ record: lease, revision: 3, sinceMs });
  test.each([
    ['never held, or lost by NATS: above what may have been', seen(null), 0, { step: 'take', epoch: 1.8e12 }],
    ['released', seen(record('b', 4, { released: true })), 0, { step: 'take', epoch: 5 }],
    ['own, of a process before', seen(record('a', 4)), 0, { step: 'take', epoch: 5 }],
    ['held', seen(record('b', 4)), 5000, { step: 'wait', forMs: 1000, why: 'held by pod-b' }],
    ['almost over', seen(record('b', 4)), 9999, { step: 'wait', forMs: 1, why: 'held by pod-b' }],
    ['over', seen(record('b', 4)), 10_000, { step: 'take', epoch: 5 }],
  ])('%s', (_what, state, now, step) => {
    expect(decideTake(state, claimant(), now, LEASE_TIMES)).toEqual(step);
  });

  const stays = { released: true, stays: true } as const;
  test.each([
    ['a pod that stands by gives the other a head start', null, 1, 9999, 'another node is to take it first'],
    ['and then takes it', null, 1, 10_000, null],
    ['after a release less', record('b', 4, { released: true }), 1, 1999, 'another node is to take it first'],
    ['and then at once', record('b', 4, { released: true }), 1, 2000, null],
    ['after the lease', record('b', 4), 1, 11_999, 'held by pod-b'],
    ['the second longer', record('b', 4), 2, 13_999, 'held by pod-b'],
    [
      'up on another node: as good as held',
      record('b', 4, stays),
      0,
      9999,
      'its connections from node-b end',
    ],
    ['and free when the kernel has taken it down', record('b', 4, stays), 0, 10_000, null],
  ])('%s', (_what, state, rank, now, why) => {
    const step = decideTake(seen(state), claimant(rank), now, LEASE_TIMES);
    expect(step.step === 'wait' ? step.why : null).toBe(why);
  });

  test('a pod beside the holder looks more often', () => {
    const waits = (node: string) => decideTake(seen(record('b', 4)), claimant(0, node), 0, LEASE_TIMES);
    expect([waits('node-a'), waits('node-b')]).toMatchObject([{ forMs: 1000 }, { forMs: 200, claim: true }]);
    expect(waits('node-a')).not.toHaveProperty('claim');
  });

  test('up on the same node: at once', () => {
    const state = seen(record('b', 4, stays));
    expect(decideTake(state, claimant(0, 'node-b'), 0, LEASE_TIMES)).toEqual({ step: 'take', epoch: 5 });
  });

  test('what one that lingers writes is no renewal', () => {
    const lingering = [{ holder: holder('z'), open: { google: 1 } }];
    const first = observe(null, { record: record('b', 4, { lingering }), revision: 3 }, 100);
    expect(observe(first, { record: record('b', 4), revision: 4 }, 900).sinceMs).toBe(100);
  });

  test('a renewal starts the wait anew, a look without change does not', () => {
    const first = observe(null, { record: record('b', 4), revision: 3 }, 100);
    expect(observe(first, { record: record('b', 4), revision: 3 }, 900).sinceMs).toBe(100);
    const renewed = record('b', 4, { renewals: 1 });
    expect(observe(first, { record: renewed, revision: 4 }, 900).sinceMs).toBe(900);
  });
});

test('the first takes it, the second waits as long as it is renewed', async () => {
  const { time, kv, a, b } = two();
  await time.pass(50);
  b.keeper.start();
  await time.pass(60_000);
  expect([a.keeper.epoch, b.keeper.epoch]).toEqual([1, null]);
  expect(kv.writes.length).toBeGreaterThan(15);
  expect(b.keeper.obstacle).toBe('held by pod-a');
});

test('a released address goes to the next within a look, one epoch on', async () => {
  const { time, kv, a, b } = two();
  await time.pass(50);
  b.keeper.start();
  await time.pass(5000);
  await a.keeper.release(new AbortController().signal);
  expect(kv.writes.at(-1)).toMatch(/^a\/1\/\d+\/released$/);
  await time.pass(1000);
  expect([a.keeper.epoch, b.keeper.epoch]).toEqual([null, 2]);
});

test('a holder without NATS stops before another may begin', async () => {
  const { time, a, b } = two();
  await time.pass(50);
  b.keeper.start();
  await time.pass(5000);
  a.nats = false;
  for (let ms = 0; ms < 15_000; ms += 50) {
    await time.pass(50);
    expect([a.keeper.epoch, b.keeper.epoch]).not.toEqual([1, 2]);
  }
  expect([a.keeper.epoch, b.keeper.epoch]).toEqual([null, 2]);
  expect(a.changes).toEqual([1, null]);
});

test('an address that cannot move is kept without NATS, and its hold goes on after it', async () => {
  const { time, a } = two(false);
  await time.pass(5000);
  a.nats = false;
  await time.pass(600_000);
  a.nats = true;
  await time.pass(5000);
  expect(a.changes).toEqual([1]);
});

test('nobody takes an address for not having been able to see its renewals', async () => {
  const { time, a, b } = two(false);
  await time.pass(50);
  b.keeper.start();
  await time.pass(5000);
  a.nats = b.nats = false;
  await time.pass(60_000);
  b.nats = true;
  await time.pass(2000);
  a.nats = true;
  await time.pass(30_000);
  expect([a.keeper.epoch, b.keeper.epoch]).toEqual([1, null]);
});

test('a renewal that was written but not answered is no loss', async () => {
  const { time, a } = two();
  await time.pass(2000);
  a.answers = false;
  await time.pass(2000);
  a.answers = true;
  await time.pass(20_000);
  expect(a.changes).toEqual([1]);
});

test('an address that leaves the machine is given up at once', async () => {
  const { time, kv, a } = two();
  await time.pass(2000);
  a.has = false;
  await time.pass(4000);
  expect(a.keeper.obstacle).toBe('this machine does not have the address');
  expect(kv.record?.released).toBe(true);
});

test('an address the machine does not have is never taken', async () => {
  const { time, kv, b } = two();
  const c = machine('c', new Kv(), time);
  c.has = false;
  c.keeper.start();
  await time.pass(20_000);
  expect(c.keeper.epoch).toBeNull();
  expect(kv.writes.some((write) => write.startsWith('c'))).toBe(false);
  expect(b.keeper.epoch).toBeNull();
});

describe('an address that is brought up', () => {
  test('is up for as long as the lease, is taken down when it ends, and never before it is held', async () => {
    const { time, a } = two();
    await time.pass(50);
    expect(a.raised).toEqual([9000]);
    await time.pass(3000);
    expect(a.raised).toEqual([9000, 9000]);
    a.nats = false;
    await time.pass(10_000);
    expect(a.raised.at(-1)).toBe('lowered');
    expect(a.keeper.epoch).toBeNull();
  });

  test('that cannot be brought up is left to others for a while', async () => {
    const { time, a, b } = two();
    a.failure = 'no such interface';
    b.rank = 1;
    b.keeper.start();
    await time.pass(5000);
    expect([a.keeper.epoch, b.keeper.epoch]).toEqual([null, 2]);
    expect(a.keeper.obstacle).toBe('it cannot be brought up: no such interface');
    expect(a.keeper.isWell).toBe(false);
  });
});

describe('a hand-over', () => {
  const handedOver = async (movable: boolean) => {
    const all = two(movable);
    const { time, a, b } = all;
    await time.pass(50);
    b.keeper.start();
    await time.pass(5000);
    a.open = { google: 2 };
    const over = new AbortController();
    let ended = false;
    void a.keeper.handOver(over.signal).then(() => {
      ended = true;
    });
    await time.pass(1050);
    return { ...all, over, ended: () => ended };
  };

  test('frees the address at once; the successor knows what is still open, and when it is gone', async () => {
    const { time, kv, a, b, ended } = await handedOver(false);
    expect([a.keeper.epoch, b.keeper.epoch]).toEqual([null, 2]);
    expect(b.keeper.lingering).toEqual([{ holder: holder('a'), open: { google: 2 } }]);
    a.open = { google: 1 };
    await time.pass(6000);
    expect(b.keeper.lingering).toEqual([{ holder: holder('a'), open: { google: 1 } }]);
    expect(ended()).toBe(false);
    a.open = {};
    await time.pass(6000);
    expect(b.keeper.lingering).toEqual([]);
    expect(kv.record).not.toHaveProperty('lingering');
    expect(ended()).toBe(true);
    expect(b.changes).toEqual([2]);
  });

  test('of an address that is up needs a pod of the node that waits; it says so before it is ready, and no renewal forgets it', async () => {
    const { time, kv, a } = two();
    await time.pass(50);
    expect(await a.keeper.canHandOver()).toBe(false);
    const beside = machine('c', kv, time, true, 'node-a');
    beside.keeper.start();
    await time.pass(50);
    expect(beside.keeper.isWell).toBe(true);
    expect(kv.record?.heir).toBe('c');
    expect(await a.keeper.canHandOver()).toBe(true);
    await time.pass(20_000);
    expect(kv.record).toMatchObject({ holder: { uid: 'a' }, heir: 'c' });
    expect(kv.record?.renewals).toBeGreaterThan(5);
    await a.keeper.handOver(new AbortController().signal);
    await time.pass(250);
    expect(beside.keeper.epoch).toBe(2);
    expect(kv.record).not.toHaveProperty('heir');
  });

  test('of an address that is up leaves it up, and only a pod of that node may follow before the lease has run out', async () => {
    const { time, kv, a, b } = await handedOver(true);
    expect(kv.record).toMatchObject({ released: true, stays: true });
    expect(a.raised).not.toContain('lowered');
    await time.pass(7000);
    expect(b.keeper.epoch).toBeNull();
    await time.pass(3000);
    expect(b.keeper.epoch).toBe(2);
  });

  test('that NATS does not hear: what is open ends before anybody may follow, at an address that can move', async () => {
    for (const movable of [true, false]) {
      const { time, a } = two(movable);
      await time.pass(50);
      a.open = { google: 1 };
      a.nats = false;
      const over = new AbortController();
      const ended = a.keeper.handOver(over.signal);
      await time.pass(100);
      over.abort();
      await time.pass(600);
      await ended;
      expect(a.ends).toEqual(movable ? ['closed', 'handed over', 'closed'] : ['closed', 'handed over']);
    }
  });

  test('and a release are said again when one that lingers has written meanwhile', async () => {
    const { time, kv, a } = two(false);
    await time.pass(50);
    kv.revision++;
    await a.keeper.release(new AbortController().signal);
    expect(kv.record?.released).toBe(true);
  });

  test('at the very end is said at least once', async () => {
    const { time, kv, a } = two(false);
    await time.pass(50);
    await a.keeper.release(AbortSignal.abort());
    expect(kv.record?.released).toBe(true);
  });

  test('is forgotten when it was cut off, after the time a connection can live', async () => {
    const { time, b, over } = await handedOver(false);
    over.abort();
    await time.pass(600_000);
    expect(b.keeper.lingering).toHaveLength(1);
    await time.pass(200_000);
    expect(b.keeper.lingering).toEqual([]);
  });
});

test('what a holder says of the address reaches the lease at once', async () => {
  const { time, kv, a } = two();
  await time.pass(50);
  a.keeper.setUnfit('cannot be bound');
  await time.pass(50);
  expect(kv.record).toMatchObject({ unfit: 'cannot be bound' });
  a.keeper.setUnfit(null);
  a.keeper.leave();
  await time.pass(50);
  expect(kv.record).toMatchObject({ leaving: true });
  expect(kv.record).not.toHaveProperty('unfit');
  await time.pass(30_000);
  expect(a.changes).toEqual([1]);
});
