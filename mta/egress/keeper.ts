// Keeps one address: waits for its lease, takes it, renews it, loses it, releases it. Decisions are in hold.ts.
import type { AddressLease } from '../bus/snapshot.ts';
import { decideTake, holdEndsAt, type LeaseTimes, observe, type Seen } from './hold.ts';
import type { NodeLock } from './node_lock.ts';

/** The lease record of one address. Both calls reject while NATS is away. */
export interface LeaseStore {
  read(): Promise<{ readonly record: AddressLease | null; readonly revision: number }>;
  /** Writes if the key still stands at `revision`; returns the new revision. @throws LeaseConflict */
  write(record: AddressLease, revision: number): Promise<number>;
}
export class LeaseConflict extends Error {
  override readonly name = 'LeaseConflict';
}

/** Monotonic time in ms, and timers by it. */
export interface Clock {
  now(): number;
  after(ms: number, run: () => void): () => void;
}
export const monotonicClock: Clock = {
  now: () => performance.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, ms).unref();
    return () => clearTimeout(timer);
  },
};

export interface KeeperOptions {
  readonly address: string;
  readonly ipPool: string;
  readonly movable: boolean;
  readonly holder: AddressLease['holder'];
  readonly store: LeaseStore;
  readonly lock: NodeLock;
  readonly onMachine: () => boolean;
  readonly times: LeaseTimes;
  readonly clock: Clock;
  /** Told at once when the hold begins or ends; on an end every connection of the address must be closed. */
  readonly onChange: (keeper: Keeper) => void;
}

interface Held {
  readonly record: AddressLease;
  readonly revision: number;
  /** When the last confirmed renewal was sent. */
  readonly confirmedMs: number;
}

/** How soon a holder tries again when a renewal failed. */
const RENEW_RETRY_MS = 500;

export class Keeper {
  readonly options: KeeperOptions;
  #held: Held | null = null;
  #seen: Seen | null = null;
  #why = 'not tried yet';
  #stopped = false;
  #cancelEnd = () => {};
  #cancelStep = () => {};
  #running: Promise<void> = Promise.resolve();

  constructor(options: KeeperOptions) {
    this.options = options;
  }

  /** The epoch it is held under; null while it is not held. */
  get epoch(): number | null {
    return this.#held?.record.epoch ?? null;
  }

  /** Why it is not held; null while it is. */
  get obstacle(): string | null {
    return this.#held ? null : this.#why;
  }

  start(): void {
    this.#running = this.#turn();
  }

  /** Stops keeping it and, if it is held, states that it is free. Its connections must be closed before. Never rejects. */
  async release(): Promise<void> {
    this.#stopped = true;
    this.#cancelStep();
    await this.#running;
    await this.#giveUp('released');
  }

  async #giveUp(why: string): Promise<void> {
    const held = this.#held;
    await this.#lose(why);
    if (!held) return;
    const released = { ...held.record, released: true } as const;
    await this.options.store.write(released, held.revision).catch(() => {}); // then it ends by itself, in `leaseMs`
  }

  async #turn(): Promise<void> {
    const forMs = await this.step();
    if (this.#stopped) return;
    this.#cancelStep = this.options.clock.after(forMs, () => {
      this.#running = this.#turn();
    });
  }

  /** One look at the lease; resolves with the ms until the next. */
  async step(): Promise<number> {
    const { times } = this.options;
    if (!this.options.onMachine()) {
      await this.#giveUp('this machine does not have the address');
      return times.renewMs;
    }
    return this.#held ? this.#renew(this.#held) : this.#tryTake();
  }

  async #tryTake(): Promise<number> {
    const { lock, times, clock } = this.options;
    if (!(await lock.acquire().catch(() => false))) {
      this.#why = 'another process of this node has it';
      return times.pollMs;
    }
    const seen = await this.#look();
    if (!seen) return times.pollMs;
    const step = decideTake(seen, this.options.holder.uid, clock.now(), times);
    if (step.step === 'wait') {
      this.#why = step.why;
      return step.forMs;
    }
    const { address, ipPool, holder } = this.options;
    const record: AddressLease = { version: 1, address, ipPool, holder, epoch: step.epoch, renewals: 0 };
    return this.#write(record, seen.revision);
  }

  async #look(): Promise<Seen | null> {
    try {
      const read = await this.options.store.read();
      this.#seen = observe(this.#seen, read, this.options.clock.now());
    } catch (error) {
      this.#seen = null; // what was not watched without a gap does not count
      this.#why = `leases cannot be read: ${(error as Error).message}`;
    }
    return this.#seen;
  }

  #renew(held: Held): Promise<number> {
    return this.#write({ ...held.record, renewals: held.record.renewals + 1 }, held.revision);
  }

  async #write(record: AddressLease, revision: number): Promise<number> {
    const { store, clock, times, movable } = this.options;
    const sentMs = clock.now();
    try {
      const written = await store.write(record, revision);
      // A hold that ended while the renewal was under way has ended: it is taken anew, under the next epoch.
      if (record.renewals > 0 && !this.#held) return 0;
      if (clock.now() < holdEndsAt(sentMs, movable, times))
        this.#confirm({ record, revision: written, confirmedMs: sentMs });
      return times.renewMs;
    } catch (error) {
      if (error instanceof LeaseConflict) return this.#conflict();
      this.#why = `lease cannot be written: ${(error as Error).message}`;
      return RENEW_RETRY_MS;
    }
  }

  #confirm(held: Held): void {
    const { clock, movable, times } = this.options;
    const isNew = this.#held === null;
    this.#held = held;
    this.#cancelEnd();
    const endsAt = holdEndsAt(held.confirmedMs, movable, times);
    if (endsAt !== Number.POSITIVE_INFINITY)
      this.#cancelEnd = clock.after(
        endsAt - clock.now(),
        () => void this.#lose('its lease ended: NATS is away'),
      );
    if (isNew) this.options.onChange(this);
  }

  /** The record is not as we left it: an own write whose answer was lost, or another holder. */
  async #conflict(): Promise<number> {
    const read = await this.#look();
    const held = this.#held;
    if (!read || !held) return RENEW_RETRY_MS;
    const { record, revision } = read;
    if (
      record?.holder.uid === held.record.holder.uid &&
      record.epoch === held.record.epoch &&
      !record.released
    )
      this.#held = { ...held, record, revision };
    else await this.#lose(`taken by ${record?.holder.pod ?? 'nobody: the record is gone'}`);
    return 0;
  }

  async #lose(why: string): Promise<void> {
    this.#why = why;
    this.#cancelEnd();
    this.#seen = null;
    const had = this.#held !== null;
    this.#held = null;
    if (had) this.options.onChange(this);
    await this.options.lock.release();
  }
}
