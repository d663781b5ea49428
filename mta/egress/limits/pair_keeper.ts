// Keeps the limits of one (address, provider) and their durable record: reads what the holder before left, writes each slice before
// it is granted from, reads again when it is not known what became of a write. One write at a time.
import type { AddressLease } from '../../bus/snapshot.ts';
import { Pair, type PairLimits, type PairRecord, type PairSlices } from '../../policy/limits/pair.ts';
import type { RecordStore } from '../record_store.ts';

/** Somebody else has written the record: ours was not. */
export class PairConflict extends Error {
  override readonly name = 'PairConflict';
}

/** What the holder before may still do when the address was taken. */
export interface Predecessor {
  /** When its last grant has surely ended, monotonic ms. */
  readonly grantsEndAt: number;
  /** Its open connections to the provider. */
  readonly connections: number;
}

export interface PairKeeperOptions {
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
const SKEW_MS = 5000;
/** How soon a failed write is tried again. */
const RETRY_MS = 500;
/** The bucket forgets what is older than two days: what is still reserved is said again before. */
const REFRESH_MS = 3_600_000;

export class PairKeeper {
  readonly options: PairKeeperOptions;
  #pair: Pair | null = null;
  #revision = 0;
  #isCurrent = false;
  #working: Promise<void> | null = null;
  #notBefore = Number.NEGATIVE_INFINITY;
  #wroteAt = 0;
  #failure: string | null = null;
  /** Monotonic ms of the last CONNECT. */
  askedAt = 0;

  constructor(options: PairKeeperOptions) {
    this.options = options;
  }

  /** Null until the record has been read. */
  get pair(): Pair | null {
    return this.#pair;
  }

  /** Why nothing can be reserved or read now. */
  get failure(): string | null {
    return this.#failure;
  }

  /** Whether another try may help: not right after a failure. */
  get mayRetry(): boolean {
    return this.options.now() >= this.#notBefore;
  }

  /** Reads the record of the holder before. Never rejects; without NATS there is no pair, unless nothing of it could bind. */
  load(limits: PairLimits, before: () => Predecessor): Promise<void> {
    return this.#once(async () => {
      if (this.#pair) return;
      const found = await this.#read().catch((error: unknown) => {
        if (isDurable(limits)) throw error;
        return null;
      });
      const { now, wallNow } = this.options;
      const { grantsEndAt, connections } = before();
      const record = found && { ...found, connections };
      this.#pair = new Pair(limits, record, { now: now(), wallNow: wallNow(), grantsEndAt, skewMs: SKEW_MS });
      if (connections > 0) this.#pair.setInherited(now(), connections);
    });
  }

  /** Writes the next slice; resolves when it may be granted from, or could not be written. Never rejects. */
  reserve(): Promise<void> {
    if (!this.mayRetry) return Promise.resolve();
    return this.#once(async () => {
      const { now, wallNow } = this.options;
      if (!this.#pair) return;
      if (!this.#isCurrent) await this.#read();
      const slices = this.#pair.slices(now());
      await this.#write(this.#recordOf(this.#pair, now(), wallNow(), slices));
      this.#pair.confirmed(slices);
    });
  }

  /** Fetches a slice before it is needed, and says again what was said long ago. */
  tend(): void {
    const now = this.options.now();
    if (!this.#pair?.isDurable) return;
    if (this.#pair.wantsSlice(now) || (this.#isCurrent && now - this.#wroteAt > REFRESH_MS))
      void this.reserve();
  }

  /** The hold has ended: says what counts, and that nothing is reserved but what is in open grants. Never rejects. */
  async release(): Promise<void> {
    await this.#working;
    const { now, wallNow } = this.options;
    const pair = this.#pair;
    if (!pair || !this.#isCurrent) return;
    pair.release();
    await this.#once(() => this.#write(this.#recordOf(pair, now(), wallNow())));
  }

  #recordOf(pair: Pair, now: number, wallNow: number, slices?: PairSlices): PairRecord {
    const { address, provider, writer } = this.options;
    return { version: 1, address, provider, writer, ...pair.record(now, wallNow, slices) };
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

const isDurable = ({ attemptsPerMinute, messages: { minute, hour, day } }: PairLimits): boolean =>
  [attemptsPerMinute, minute, hour, day].some((limit) => limit != null);
