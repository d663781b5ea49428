// Keepers over a time by hand and a bucket of one key, for the tests of the room.
import type { AddressLease } from '../bus/snapshot.ts';
import type { Clock } from './clock.ts';
import { LEASE_TIMES } from './hold.ts';
import { Keeper } from './keeper.ts';
import { LeaseConflict, type LeaseStore } from './lease.ts';

export const holder = (uid: string) => ({
  pod: `pod-${uid}`,
  uid,
  node: `node-${uid}`,
  host: '127.0.0.1',
  port: 1,
});

/** Time by hand. */
export class Time implements Clock {
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
export class Kv {
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

export interface Machine {
  readonly keeper: Keeper;
  readonly changes: (number | null)[];
  readonly ends: string[];
  nats: boolean;
  answers: boolean;
  has: boolean;
  rank: number;
  open: Record<string, number>;
  /** Why it cannot be brought up. */
  failure: string | null;
  readonly raised: (number | 'lowered')[];
}

export function machine(uid: string, kv: Kv, clock: Clock, movable = true, node = `node-${uid}`): Machine {
  const own = {
    ...{ nats: true, answers: true, has: true, rank: 0, open: {}, failure: null as string | null },
    changes: [] as (number | null)[],
    ends: [] as string[],
    raised: [] as (number | 'lowered')[],
  };
  const keeper = new Keeper({
    address: '198.51.100.10',
    ipPool: 'mail/ips',
    movable,
    holder: { ...holder(uid), node },
    store: kv.store(
      () => own.nats,
      () => own.answers,
    ),
    lock: { acquire: async () => true, release: async () => {} },
    broughtUp: movable,
    rank: () => own.rank,
    presence: {
      obstacle: () => (own.has ? null : 'this machine does not have the address'),
      raise: async (ms) => {
        if (own.failure) throw new Error(own.failure);
        own.raised.push(ms);
      },
      lower: async () => void own.raised.push('lowered'),
    },
    open: () => own.open,
    connected: () => 0,
    times: LEASE_TIMES,
    clock,
    wallNow: () => 1,
    onChange: (one, end) => {
      own.changes.push(one.epoch);
      own.ends.push(end);
    },
  });
  return Object.assign(own, { keeper });
}

export function two(movable = true) {
  const time = new Time();
  const kv = new Kv();
  const [a, b] = [machine('a', kv, time, movable), machine('b', kv, time, movable)];
  a.keeper.start();
  return { time, kv, a, b };
}
