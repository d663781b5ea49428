// The lease of the pool's lender: a keeper (keeper.ts) of something that is nowhere on the machine. Short, so that a successor is there
// while the loans of a lender that died still last: 5 s from its last renewal, of the 9 s of a loan.
import type { AddressLease } from '../../bus/snapshot.ts';
import type { Clock } from '../clock.ts';
import type { LeaseTimes } from '../hold.ts';
import { Keeper } from '../keeper.ts';
import type { LeaseStore } from '../lease.ts';

export const LENDER_TIMES: LeaseTimes = {
  leaseMs: 5_000,
  renewMs: 1_000,
  marginMs: 500,
  pollMs: 500,
  standbyMs: 0,
};

export interface LenderLeaseOptions {
  /** namespace/name */
  readonly ipPool: string;
  readonly self: () => AddressLease['holder'];
  readonly store: LeaseStore;
  readonly clock: Clock;
  /** ms since the epoch, the same for all pods. */
  readonly wallNow: () => number;
  readonly onChange: (epoch: number | null) => void;
}

export class LenderLease {
  readonly #options: LenderLeaseOptions;
  #keeper: Keeper | null = null;
  #since = 0;
  #seen: AddressLease | null = null;

  constructor(options: LenderLeaseOptions) {
    this.#options = options;
  }

  /** Under which this pod lends; null: it does not. Looked at each time, by the monotonic clock. */
  get epoch(): number | null {
    return this.#keeper?.epoch ?? null;
  }

  /** When this pod became the lender, monotonic ms. */
  get since(): number {
    return this.#since;
  }

  /** Who lends, as far as is known here. */
  get lender(): AddressLease['holder'] | null {
    if (this.epoch !== null) return this.#options.self();
    return this.#seen && !this.#seen.released ? this.#seen.holder : null;
  }

  start(): void {
    if (this.#keeper) return;
    const { ipPool, self, clock, wallNow, onChange } = this.#options;
    this.#keeper = new Keeper({
      ...{ address: '*', ipPool, clock, wallNow, times: LENDER_TIMES, movable: true, broughtUp: false },
      // Every pod for itself: none follows another of its node before others may.
      holder: { ...self(), node: self().uid },
      rank: () => 0,
      store: this.#watched(),
      lock: { acquire: async () => true, release: async () => {} },
      presence: { obstacle: () => null, raise: async () => {}, lower: async () => {} },
      open: () => ({}),
      connected: () => 0,
      onChange: (keeper) => {
        this.#since = clock.now();
        onChange(keeper.epoch);
      },
    });
    this.#keeper.start();
  }

  /** Gives it up, so that another pod has it at once. */
  async stop(signal: AbortSignal): Promise<void> {
    const keeper = this.#keeper;
    this.#keeper = null;
    await keeper?.release(signal);
  }

  /** The store, with an eye on who stands in it. */
  #watched(): LeaseStore {
    const { store } = this.#options;
    return {
      read: async () => {
        const read = await store.read();
        this.#seen = read.record;
        return read;
      },
      write: (record, revision) => store.write(record, revision),
    };
  }
}
