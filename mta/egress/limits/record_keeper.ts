// Keeps the limits of one (address, provider), or of a whole pool at one provider, and their durable record: reads what the holder before
// left, writes each slice before it is granted from, reads again when it is not known what became of a write. One write at a time.
import type { AddressLease } from '../../bus/snapshot.ts';
import type { PairBudgets, PairRecord, PairSlices } from '../../policy/limits/pair.ts';
import type { RecordStore } from '../record_store.ts';

/** What is kept: it grants only from slices whose record was written. */
export interface Kept {
  readonly isDurable: boolean;
  wantsSlice(now: number): boolean;
  slices(now: number): PairSlices;
  confirmed(slices: PairSlices): void;
  record(now: number, wallNow: number, slices?: PairSlices): PairBudgets;
  release(): void;
}

/** Somebody else has written the record: ours was not. */
export class PairConflict extends Error {
  override readonly name = 'PairConflict';
}

export interface RecordKeeperOptions {
  /** `*`: all of the pool. */
  readonly address: string;
  readonly provider: string;
  readonly writer: { readonly uid: AddressLease['holder']['uid']; readonly epoch: number };
  readonly store: RecordStore<PairRecord>;
  /** Monotonic ms. */
  readonly now: () => number;
  /** ms since the epoch. */
  readonly wallNow: () => number;
  readonly warn: (error: unknown) => void;
}

/** How far the wall clocks of two nodes may be apart; NTP keeps them within a tenth of it. */
export const SKEW_MS = 5000;
/** How soon a failed write is tried again. */
const RETRY_MS = 500;
/** The bucket forgets what is older than two days: what is still reserved is said again before. */
const REFRESH_MS = 3_600_000;

export class RecordKeeper<T extends Kept> {
  readonly options: RecordKeeperOptions;
  #kept: T | null = null;
  #revision = 0;
  #isCurrent = false;
  #working: Promise<void> | null = null;
  #notBefore = Number.NEGATIVE_INFINITY;
  #wroteAt = 0;
  #failure: string | null = null;
  /** Monotonic ms of the last CONNECT. */
  askedAt = 0;

  constructor(options: RecordKeeperOptions) {
    this.options = options;
  }

  /** Null until the record has been read. */
  get kept(): T | null {
    return this.#kept;
  }

  /** Why nothing can be reserved or read now. */
  get failure(): string | null {
    return this.#failure;
  }

  /** Whether another try may help: not right after a failure. */
  get mayRetry(): boolean {
    return this.options.now() >= this.#notBefore;
  }

  /**
   * Reads the record of the holder before. Never rejects; without NATS nothing is kept, unless nothing of the record could bind.
   * @param mayBind whether limits hold that are reserved ahead
   */
  open(mayBind: boolean, make: (record: PairRecord | null) => T): Promise<void> {
    return this.#once(async () => {
      if (this.#kept) return;
      const found = await this.#read().catch((error: unknown) => {
        if (mayBind) throw error;
        return null;
      });
      this.#kept = make(found);
    });
  }

  /** Writes the next slice; resolves when it may be granted from, or could not be written. Never rejects. */
  reserve(): Promise<void> {
    if (!this.mayRetry) return Promise.resolve();
    return this.#once(async () => {
      const { now, wallNow } = this.options;
      if (!this.#kept) return;
      if (!this.#isCurrent) await this.#read();
      const slices = this.#kept.slices(now());
      await this.#write(this.#recordOf(this.#kept, now(), wallNow(), slices));
      this.#kept.confirmed(slices);
    });
  }

  /** Fetches a slice before it is needed, and says again what was said long ago. */
  tend(): void {
    const now = this.options.now();
    if (!this.#kept?.isDurable) return;
    if (this.#kept.wantsSlice(now) || (this.#isCurrent && now - this.#wroteAt > REFRESH_MS))
      void this.reserve();
  }

  /** The hold has ended: says what counts, and that nothing is reserved but what is in open grants. Never rejects. */
  async release(): Promise<void> {
    await this.#working;
    const { now, wallNow } = this.options;
    const kept = this.#kept;
    if (!kept || !this.#isCurrent) return;
    kept.release();
    await this.#once(() => this.#write(this.#recordOf(kept, now(), wallNow())));
  }

  #recordOf(kept: T, now: number, wallNow: number, slices?: PairSlices): PairRecord {
    const { address, provider, writer } = this.options;
    return { version: 1, address, provider, writer, ...kept.record(now, wallNow, slices) };
  }

  async #read(): Promise<PairRecord | null> {
    const { record, revision } = await this.options.store.read();
    const { writer } = this.options;
    if (record && record.version !== 1)
      throw new Error(`limits of ${this.options.address}: version ${record.version} is not known here`);
    if (record?.writer && record.writer.epoch > writer.epoch)
      throw new PairConflict(
        `${record.writer.uid} holds ${record.address} under epoch ${record.writer.epoch}, not ${writer.epoch}`,
      );
    this.#revision = revision;
    this.#isCurrent = true;
    return record;
  }

  async #write(record: PairRecord): Promise<void> {
    this.#isCurrent = false;
    this.#revision = await this.options.store.write(record, this.#revision);
    this.#isCurrent = true;
    this.#wroteAt = this.options.now();
  }

  /** Runs `work` unless something is under way already; then that is waited for. */
  #once(work: () => Promise<void>): Promise<void> {
    this.#working ??= work()
      .then(
        () => {
          this.#failure = null;
        },
        (error: unknown) => {
          this.#failure = (error as Error).message;
          this.#notBefore = this.options.now() + RETRY_MS;
          this.options.warn(error);
        },
      )
      .finally(() => {
        this.#working = null;
      });
    return this.#working;
  }
}
