// Keeps one address: waits for its lease, takes it, brings it up, renews it, loses it, gives it up. Decisions are in hold.ts, what is
// held and until when in held.ts.
import type { AddressLease, Lingering } from '../bus/snapshot.ts';
import type { Clock } from './clock.ts';
import { type Held, Hold, type HoldEnd } from './held.ts';
import { decideTake, givenUp, holdEndsAt, type LeaseTimes, observe, renewal, type Seen } from './hold.ts';
import { LeaseConflict, type LeaseStore } from './lease.ts';
import { sayUntilGone } from './linger.ts';
import type { NodeLock } from './node_lock.ts';
import type { Presence } from './presence.ts';
import { sayFree } from './say_free.ts';

export interface KeeperOptions {
  readonly address: string;
  readonly ipPool: string;
  /** Its hold ends with its lease, so that another node may follow. */
  readonly movable: boolean;
  /** Egress brings it up itself, and takes it down. */
  readonly broughtUp: boolean;
  readonly holder: AddressLease['holder'];
  /** 0: this pod is meant to hold it; more: it stands by. Asked at each look. */
  readonly rank: () => number;
  readonly store: LeaseStore;
  readonly lock: NodeLock;
  readonly presence: Presence;
  readonly times: LeaseTimes;
  readonly clock: Clock;
  /** ms since the epoch, the same for all holders. */
  readonly wallNow: () => number;
  /** Open connections by provider. */
  readonly open: () => Lingering['open'];
  /** Connections established so far. */
  readonly connected: () => number;
  /** Told at once when the hold begins or ends; on an end every connection of the address must be closed. */
  readonly onChange: (keeper: Keeper, end: HoldEnd) => void;
}

/** How soon a holder tries again when a renewal failed. */
const RENEW_RETRY_MS = 500;
/** How long giving up may hold up what comes after it. A lease that is not given up ends by itself. */
const SAY_FREE_MS = 3_000;
/** How long a pod that could not bring an address up leaves it to others. */
const RAISE_RETRY_MS = 15_000;

export class Keeper {
  readonly options: KeeperOptions;
  readonly #hold: Hold;
  #seen: Seen | null = null;
  #why = 'not tried yet';
  #isWell = false;
  #stopped = false;
  #leaving = false;
  #unfit: string | null = null;
  #notBeforeMs = 0;
  #cancelStep = () => {};
  #running: Promise<void> = Promise.resolve();

  constructor(options: KeeperOptions) {
    this.options = options;
    this.#hold = new Hold(options.clock, () => void this.#lose('its lease ended: NATS is away'));
  }

  /** The epoch it is held under; null while it is not held. */
  get epoch(): number | null {
    return this.#hold.epoch;
  }

  /** Whether its connections may carry anything now: while it is held, and after it was handed over to one that counts them. */
  get mayCarry(): boolean {
    return this.#hold.mayCarry;
  }

  /** Why it is not held; null while it is. */
  get obstacle(): string | null {
    return this.#hold.held ? null : this.#why;
  }

  /** Nothing is wrong with this pod: another one has the address, or is to take it, or this machine is not its home. */
  get isWell(): boolean {
    return this.#hold.held !== null || this.#isWell;
  }

  /** Holders before this one whose last connections are still ending. */
  get lingering(): readonly Lingering[] {
    return this.#hold.held?.record.lingering ?? [];
  }

  start(): void {
    this.#running = this.#turn();
  }

  /** Says in the lease that it is about to be given up. It is kept until then. */
  leave(): void {
    this.#leaving = true;
    this.#now();
  }

  get isUnfit(): boolean {
    return this.#unfit !== null;
  }

  /** Says in the lease whether the address is of use. */
  setUnfit(why: string | null): void {
    if (this.#unfit === why) return;
    this.#unfit = why;
    this.#now();
  }

  #now(): void {
    this.#cancelStep();
    if (!this.#stopped) this.#running = this.#running.then(() => (this.#stopped ? undefined : this.#turn()));
  }

  /**
   * Stops keeping it and, if it is held, states that it is free; its connections must be closed before. Says so once, and again until
   * NATS has heard it or `signal` aborts, for nobody else may be there to take it and to say so. Never rejects.
   */
  async release(signal: AbortSignal): Promise<void> {
    await this.#stop();
    const held = this.#hold.held;
    await this.#lose('released');
    if (held) await this.#sayFree(held, signal);
  }

  /**
   * Stops keeping it and states that it is free, while its open connections go on; resolves when the last of them has ended, or
   * `signal` aborts. An address that was brought up is left to a successor on this node. When NATS does not hear it, nobody would know of
   * those connections: then they end before anybody may follow. Never rejects.
   */
  async handOver(signal: AbortSignal): Promise<void> {
    await this.#stop();
    const held = this.#hold.held;
    const { store, open, clock, holder, broughtUp, lock, movable } = this.options;
    await this.#lose('handed over', 'handed over');
    if (!held) return lock.release();
    const still = open();
    const soon = AbortSignal.any([signal, AbortSignal.timeout(SAY_FREE_MS)]);
    const heard = await sayFree(store, clock, held, (record) => givenUp(record, still, broughtUp), soon);
    if (heard) {
      await lock.release();
      if (Object.keys(still).length > 0) await sayUntilGone(store, holder.uid, open, clock, signal);
    } else if (movable) this.options.onChange(this, 'closed');
  }

  /**
   * Whether its connections can go on after it has been given up: not those of an address that goes down with them, because nobody of
   * this node waits to follow. Asked of NATS, for the successor may only just have come.
   */
  async canHandOver(): Promise<boolean> {
    if (!this.options.broughtUp || !this.#hold.held) return true;
    const read = await this.options.store.read().catch(() => null);
    return read?.record?.heir !== undefined;
  }

  /** For the end of a hand-over, when no connection is left: a process of this node may follow, whatever NATS has heard. */
  end(): Promise<void> {
    return this.options.lock.release();
  }

  async #stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelStep();
    await this.#running;
  }

  async #giveUp(why: string): Promise<void> {
    const held = this.#hold.held;
    await this.#lose(why);
    if (held) await this.#sayFree(held, AbortSignal.timeout(SAY_FREE_MS));
  }

  /** Its connections are closed. */
  #sayFree(held: Held, signal: AbortSignal): Promise<boolean> {
    const { store, clock } = this.options;
    return sayFree(store, clock, held, (record) => givenUp(record, {}, false), signal);
  }

  async #turn(): Promise<void> {
    const forMs = await this.step();
    if (this.#stopped) return;
    this.#cancelStep();
    this.#cancelStep = this.options.clock.after(forMs, () => {
      this.#running = this.#turn();
    });
  }

  /** One look at the lease; resolves with the ms until the next. */
  async step(): Promise<number> {
    const { times, presence } = this.options;
    const obstacle = presence.obstacle();
    if (obstacle) {
      this.#isWell = true;
      await this.#giveUp(obstacle);
      return times.renewMs;
    }
    return this.#hold.held ? this.#renew(this.#hold.held) : this.#tryTake();
  }

  async #tryTake(): Promise<number> {
    const { lock, times, clock, wallNow, rank, holder } = this.options;
    const seen = await this.#look();
    if (!seen || clock.now() < this.#notBeforeMs) return times.pollMs;
    const step = decideTake(seen, { ...holder, rank: rank(), wallNow: wallNow() }, clock.now(), times);
    if (step.step === 'wait' && step.claim) await this.#claim(seen);
    this.#isWell = step.step === 'wait';
    if (step.step === 'wait') {
      this.#why = step.why;
      return step.forMs;
    }
    if (!(await lock.acquire().catch(() => false))) {
      this.#why = 'another process of this node has it';
      this.#isWell = true;
      return times.pollMs;
    }
    const { address, ipPool } = this.options;
    const { lingering } = seen.record ?? {};
    const record: AddressLease = { version: 1, address, ipPool, holder, epoch: step.epoch, renewals: 0 };
    const forMs = await this.#write({ ...record, ...(lingering && { lingering }) }, seen.revision);
    if (!this.#hold.held) await lock.release();
    return forMs;
  }

  /** Before it is ready: its predecessor is asked to end then, and must know whether to leave the address up. */
  async #claim({ record, revision }: Seen): Promise<void> {
    const { store, holder } = this.options;
    if (record) await store.write({ ...record, heir: holder.uid }, revision).catch(() => {}); // at the next look
  }

  async #look(): Promise<Seen | null> {
    try {
      const read = await this.options.store.read();
      this.#seen = observe(this.#seen, read, this.options.clock.now());
    } catch (error) {
      this.#seen = null; // what was not watched without a gap does not count
      this.#isWell = false;
      this.#why = `leases cannot be read: ${(error as Error).message}`;
    }
    return this.#seen;
  }

  #renew(held: Held): Promise<number> {
    const said = { leaving: this.#leaving, unfit: this.#unfit, connected: this.options.connected() };
    const lingering = this.#hold.hasOutlivedAll ? [] : this.lingering;
    return this.#write(renewal(held.record, said, lingering), held.revision);
  }

  async #write(record: AddressLease, revision: number): Promise<number> {
    const { store, clock, times, movable } = this.options;
    const sentMs = clock.now();
    try {
      const written = await store.write(record, revision);
      // A hold that ended while the renewal was under way has ended: it is taken anew, under the next epoch.
      if (record.renewals > 0 && !this.#hold.held) return 0;
      if (clock.now() < holdEndsAt(sentMs, movable, times))
        return this.#confirm({ record, revision: written, confirmedMs: sentMs });
      return times.renewMs;
    } catch (error) {
      if (error instanceof LeaseConflict) return this.#conflict();
      this.#why = `lease cannot be written: ${(error as Error).message}`;
      return RENEW_RETRY_MS;
    }
  }

  async #confirm(held: Held): Promise<number> {
    const { clock, movable, times, presence } = this.options;
    const endsAt = holdEndsAt(held.confirmedMs, movable, times);
    const isNew = this.#hold.held === null;
    if (!isNew) this.#hold.extend(held, endsAt);
    try {
      await presence.raise(endsAt - clock.now());
    } catch (error) {
      this.#hold.correct(held);
      await this.#giveUp(`it cannot be brought up: ${(error as Error).message}`);
      this.#notBeforeMs = clock.now() + RAISE_RETRY_MS;
      return times.pollMs;
    }
    if (!isNew) return times.renewMs;
    if (clock.now() >= endsAt) await presence.lower();
    else {
      this.#hold.begin(held, endsAt);
      this.options.onChange(this, 'closed');
    }
    return times.renewMs;
  }

  /** The record is not as we left it: an own write whose answer was lost, one that lingers, or another holder. */
  async #conflict(): Promise<number> {
    const read = await this.#look();
    const held = this.#hold.held;
    if (!read || !held) return RENEW_RETRY_MS;
    const { record, revision } = read;
    if (
      record?.holder.uid === held.record.holder.uid &&
      record.epoch === held.record.epoch &&
      !record.released
    )
      this.#hold.correct({ ...held, record, revision });
    else await this.#lose(`taken by ${record?.holder.pod ?? 'nobody: the record is gone'}`);
    return 0;
  }

  /** After a hand-over the address stays where it is, and so does the lock of the node. */
  async #lose(why: string, end: HoldEnd = 'closed'): Promise<void> {
    this.#why = why;
    this.#seen = null;
    const had = this.#hold.drop(end);
    if (had) this.options.onChange(this, end);
    if (end === 'handed over') return;
    await this.options.presence.lower();
    await this.options.lock.release();
  }
}
