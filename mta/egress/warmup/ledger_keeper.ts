// Keeps the ledger of one (address, provider): reads its record, writes the next one, reads again when it is not known what became
// of a write. One write at a time. What may be spent is decided in mta/policy/warmup/ledger.ts, which never trusts a write
// that was not confirmed; so two pods that both believe to hold the address share one allowance all the same.
import {
  type Claim,
  type ClaimAnswer,
  claim,
  confirmed,
  forfeited,
  giveBack,
  type Ledger,
  type Outcome,
  openLedger,
  reread,
  reserve,
  settle,
  wantsSlice,
  withComplaints,
} from '../../policy/warmup/ledger.ts';
import { beginRecord, type LedgerRecord, type WarmupPlan } from '../../policy/warmup/record.ts';
import type { RecordStore } from '../record_store.ts';

/** Somebody else has written the record: ours was not. */
export class LedgerConflict extends Error {
  override readonly name = 'LedgerConflict';
}

export interface LedgerKeeperOptions {
  readonly address: string;
  readonly provider: string;
  readonly plan: WarmupPlan;
  readonly store: RecordStore<LedgerRecord>;
  /** ms since the epoch. */
  readonly now: () => number;
  readonly warn: (error: unknown) => void;
  /** Revisions of the complaints after one. */
  readonly complaintsAfter?: (revision: number) => readonly number[];
}

/** How soon a reservation that failed is tried again. */
const FAILED_MS = 2_000;
/** How old outcomes may become before they are written. */
const FLUSH_MS = 5_000;
/** Each conflict is another pod's write, so a few are enough unless something is wrong. */
const MOST_CONFLICTS = 5;
/** As much as the slice allows. */
const SLICE = Number.MAX_SAFE_INTEGER;

export class LedgerKeeper {
  readonly #options: LedgerKeeperOptions;
  #plan: WarmupPlan;
  #ledger: Ledger | null = null;
  #revision = 0;
  /** Whether the record is as we know it. Not before the first read, nor after a write of unknown fate. */
  #current = false;
  #writing: Promise<void> | null = null;
  #failure: { readonly why: string; readonly at: number } | null = null;
  #leaving = false;
  /** A write is under way that gives back what is free: until it has ended nothing of that may be spent, whatever comes. */
  #givingBack = false;
  /** Something is to be written at the next tick. */
  #due = false;
  #wroteAt: number;

  constructor(options: LedgerKeeperOptions) {
    this.#options = options;
    this.#plan = options.plan;
    this.#wroteAt = options.now();
  }

  /** The ledger as known here; null before the first read. */
  get ledger(): Ledger | null {
    return this.#ledger;
  }

  /** Why nothing can be reserved now, or null; forgotten after a while, so that it is tried again. */
  get failure(): string | null {
    const { now } = this.#options;
    return this.#failure && Math.abs(now() - this.#failure.at) < FAILED_MS ? this.#failure.why : null;
  }

  /** What the plan says from now on binds what is in hand at the next write, which comes with the next tick. */
  setPlan(plan: WarmupPlan): void {
    this.#due ||= JSON.stringify(plan) !== JSON.stringify(this.#plan);
    this.#plan = plan;
  }

  /** What could be claimed now. Nothing is taken. */
  look(): ClaimAnswer {
    if (!this.#ledger || this.#leaving || this.#givingBack) return { refused: 'Reserve' };
    this.#rollUnlimited();
    return claim(this.#ledger, this.#options.now(), SLICE);
  }

  /** Takes up to `want` of what is in hand; fetches the next slice in the background before it is needed. */
  claim(want: number): ClaimAnswer {
    if (!this.#ledger || this.#leaving || this.#givingBack) return { refused: 'Reserve' };
    this.#rollUnlimited();
    const now = this.#options.now();
    const answer = claim(this.#ledger, now, want);
    if ('ledger' in answer) this.#ledger = answer.ledger;
    if (wantsSlice(this.#ledger, now)) void this.reserve();
    return answer;
  }

  /** Without a limit yesterday and today there is nothing to reserve: mail does not wait for NATS. */
  #rollUnlimited(): void {
    const ledger = this.#ledger;
    const now = this.#options.now();
    if (!ledger || ledger.record.allowance !== null || now < ledger.record.endsAt) return;
    const next = reserve(ledger, now, 0, this.#plan);
    if (next.record.allowance !== null) return;
    this.#ledger = confirmed(ledger, next);
    this.#due = true;
  }

  settle(one: Claim, outcome: Outcome): void {
    if (!this.#ledger) return;
    const before = this.#ledger.suspended;
    this.#ledger = settle(this.#ledger, one, outcome, this.#plan);
    // A successor must know of it, whatever becomes of this pod.
    if (before || !this.#ledger.suspended) return;
    this.#due = true;
    void this.reserve();
  }

  /** Writes the next record. Resolves when that was tried; whether something is in hand then, `look` says. Never rejects. */
  reserve(): Promise<void> {
    this.#writing ??= this.#write()
      .then(
        () => {
          this.#failure = null;
        },
        (error: unknown) => {
          this.#current = false;
          // What was on its way back may have arrived there.
          if (this.#givingBack && this.#ledger) this.#ledger = forfeited(this.#ledger);
          this.#failure = { why: (error as Error).message, at: this.#options.now() };
          this.#options.warn(error);
        },
      )
      .finally(() => {
        this.#writing = null;
        this.#givingBack = false;
      });
    return this.#writing;
  }

  async #write(): Promise<void> {
    for (let turn = 1; ; turn++) {
      const known = this.#current && this.#ledger ? this.#ledger : await this.#read();
      // Not taken into what is known before the write is confirmed: the record says up to where they are counted.
      const ledger = withComplaints(known, this.#complaints, this.#plan);
      const { store, now } = this.#options;
      this.#givingBack = this.#leaving;
      const next = this.#givingBack
        ? giveBack(ledger, now(), this.#plan)
        : reserve(ledger, now(), SLICE, this.#plan);
      try {
        this.#due = false;
        this.#revision = await store.write(next.record, this.#revision);
        this.#wroteAt = now();
        this.#ledger = confirmed(this.#ledger ?? ledger, next);
        return;
      } catch (error) {
        if (!(error instanceof LedgerConflict) || turn === MOST_CONFLICTS) throw error;
        this.#current = false;
      }
    }
  }

  async #read(): Promise<Ledger> {
    const { store, address, provider, now } = this.#options;
    const { record, revision } = await store.read();
    if (record && record.version !== 1)
      throw new RangeError(
        `the warm-up ledger of ${address} at ${provider} has version ${record.version}, not 1`,
      );
    const found = record ?? beginRecord(address, provider, now(), this.#plan);
    this.#ledger = this.#ledger ? reread(this.#ledger, found) : openLedger(found);
    this.#revision = revision;
    this.#current = true;
    return this.#ledger;
  }

  /** To be called every second or so: writes what has waited long enough. */
  tick(): void {
    const old = this.#options.now() - this.#wroteAt;
    if (this.#due || this.#complaints.length > 0 || (this.#hasNews && Math.abs(old) >= FLUSH_MS))
      void this.reserve();
  }

  /** Those that the record does not count yet. */
  get #complaints(): readonly number[] {
    const counted = this.#ledger?.record.complaintsTo ?? 0;
    return (this.#ledger && this.#options.complaintsAfter?.(counted)) ?? [];
  }

  get #hasNews(): boolean {
    if (!this.#ledger) return false;
    const { news, free } = this.#ledger;
    const { accepted, deferred, bounced, complained } = news.tally;
    return accepted + deferred + bounced + complained + news.used > 0 || (this.#leaving && free > 0);
  }

  /** The address is not ours any more: what is in hand goes back, open grants are settled here until they end. */
  async leave(): Promise<void> {
    this.#leaving = true;
    await this.#writing; // what is under way may still bring a slice
    if (this.#hasNews) await this.reserve();
  }

  /** It is asked for (again). */
  stay(): void {
    this.#leaving = false;
  }

  /** Nothing is in hand or to be written, and nothing of today will be: it can be forgotten, the record says all. */
  get isIdle(): boolean {
    if (this.#writing || this.#due) return false;
    if (!this.#ledger) return true;
    const { claimed, record } = this.#ledger;
    if (claimed > 0 || this.#hasNews) return false;
    return this.#leaving || this.#options.now() >= record.endsAt;
  }
}
