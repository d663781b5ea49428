import type { AddressLease } from '../bus/snapshot.ts';
import { decideTake, LEASE_TIMES, observe } from './hold.ts';
import { type Clock, Keeper, LeaseConflict, type LeaseStore } from './keeper.ts';

const holder = (uid: string) => ({ pod: `pod-${uid}`, uid, node: `node-${uid}`, host: '127.0.0.1', port: 1 });
const record = (uid: string, epoch: number, more: Partial<AddressLease> = {}): AddressLease => ({
  version: 1,
  address: '198.51.100.10',
  ipPool: 'mail/ips',
  holder: holder(uid),
  epoch,
  renewals: 0,
  ...more,
});

describe('when an address may be taken', () => {
  const seen = (lease: AddressLease | null, sinceMs = 0) => ({ record: lease, revision: 3, sinceMs });
  test.each([
    ['never held', seen(null), 0, { step: 'take', epoch: 1 }],
    ['released', seen(record('b', 4, { released: true })), 0, { step: 'take', epoch: 5 }],
    ['own, of a process before', seen(record('a', 4)), 0, { step: 'take', epoch: 5 }],
    ['held', seen(record('b', 4)), 5000, { step: 'wait', forMs: 1000, why: 'held by pod-b' }],
    ['almost over', seen(record('b', 4)), 9999, { step: 'wait', forMs: 1, why: 'held by pod-b' }],
    ['over', seen(record('b', 4)), 10_000, { step: 'take', epoch: 5 }],
  ])('%s', (_what, state, now, step) => {
    expect(decideTake(state, 'a', now, LEASE_TIMES)).toEqual(step);
  });

  test('a renewal starts the wait anew, a look without change does not', () => {
    const first = observe(null, { record: record('b', 4), revision: 3 }, 100);
    expect(observe(first, { record: record('b', 4), revision: 3 }, 900).sinceMs).toBe(100);
    expect(observe(first, { record: record('b', 4), revision: 4 }, 900).sinceMs).toBe(900);
  });
});

/** Time by hand. */
class Time implements Clock {
  ms = 0;
  #timers: { at: number; run: () => void }[] = [];
  now = () => this.ms;
  after = (ms: number, run: () => void) => {
    const timer = { at: this.ms + ms, run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((one) => one !== timer);
    };
  };
  /** Lets time pass in steps, running what is due; microtasks run in between. */
  async pass(ms: number): Promise<void> {
    for (const end = this.ms + ms; this.ms < end; ) {
      this.ms = Math.min(end, this.ms + 50);
      const due = this.#timers.filter(({ at }) => at <= this.ms);
      this.#timers = this.#timers.filter((one) => !due.includes(one));
      for (const { run } of due) run();
      for (let i = 0; i < 20; i++) await null;
    }
  }
}

/** A bucket of one key. */
class Kv {
  record: AddressLease | null = null;
  revision = 0;
  /** Writes since the start, as `uid/epoch/renewals`. */
  readonly writes: string[] = [];
  store(reachable: () => boolean, answers: () => boolean = () => true): LeaseStore {
    return {
      read: async () => {
        if (!reachable()) throw new Error('away');
        return { record: this.record, revision: this.revision };
      },
      write: async (lease, revision) => {
        if (!reachable()) throw new Error('away');
        if (revision !== this.revision) throw new LeaseConflict();
        this.record = lease;
        this.writes.push(
          `${lease.holder.uid}/${lease.epoch}/${lease.renewals}${lease.released ? '/released' : ''}`,
        );
        this.revision++;
        if (!answers()) throw new Error('no answer');
        return this.revision;
      },
    };
  }
}

interface Machine {
  readonly keeper: Keeper;
  readonly changes: (number | null)[];
  nats: boolean;
  answers: boolean;
  has: boolean;
}

function machine(uid: string, kv: Kv, clock: Clock, movable = true): Machine {
  const own = { nats: true, answers: true, has: true, changes: [] as (number | null)[] };
  const keeper = new Keeper({
    address: '198.51.100.10',
    ipPool: 'mail/ips',
    movable,
    holder: holder(uid),
    store: kv.store(
      () => own.nats,
      () => own.answers,
    ),
    lock: { acquire: async () => true, release: async () => {} },
    onMachine: () => own.has,
    times: LEASE_TIMES,
    clock,
    onChange: (one) => own.changes.push(one.epoch),
  });
  return Object.assign(own, { keeper });
}

function two(movable = true) {
  const time = new Time();
  const kv = new Kv();
  const [a, b] = [machine('a', kv, time, movable), machine('b', kv, time, movable)];
  a.keeper.start();
  return { time, kv, a, b };
}

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
  await a.keeper.release();
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
