// Lends the caps of the pool while this pod has the lease: a Lending for each provider, its record, and no answer once the lease is over.
import { Lending } from '../../policy/limits/lending.ts';
import type { PairRecord } from '../../policy/limits/pair.ts';
import { LOAN_MS, type LoanAnswer, type PoolLimits } from '../../policy/limits/poolcap.ts';
import { RecordKeeper, SKEW_MS } from '../limits/record_keeper.ts';
import type { RecordStore } from '../record_store.ts';
import { NotLender, type Question } from './dialogue.ts';
import type { LenderLease } from './lease.ts';
import { poolGauges } from './metrics.ts';

export interface LenderOptions {
  /** This pod's UID. */
  readonly uid: string;
  readonly lease: Pick<LenderLease, 'epoch' | 'since'>;
  readonly capOf: (provider: string) => PoolLimits | null;
  readonly store: (provider: string) => RecordStore<PairRecord>;
  /** Monotonic ms. */
  readonly now: () => number;
  /** ms since the epoch. */
  readonly wallNow: () => number;
  readonly warn: (error: unknown) => void;
}

const NOTHING: LoanAnswer = { verdict: 'nothing' };
/** What nobody has asked for so long is forgotten; its record stays. */
const IDLE_MS = 3_600_000;

export class Lender {
  readonly #options: LenderOptions;
  readonly #books = new Map<string, RecordKeeper<Lending>>();
  #closing = false;

  constructor(options: LenderOptions) {
    this.#options = options;
  }

  /** @throws NotLender also when the lease has ended while a record was written: then nothing was lent. */
  async lend(questions: readonly Question[]): Promise<readonly LoanAnswer[]> {
    const epoch = this.#epoch();
    const answers = await Promise.all(questions.map((one) => this.#answer(one, epoch)));
    if (this.#epoch() !== epoch) throw new NotLender('the lease has ended');
    return answers;
  }

  #epoch(): number {
    const { epoch } = this.#options.lease;
    if (epoch === null || this.#closing) throw new NotLender('this pod does not lend');
    return epoch;
  }

  async #answer({ provider, request }: Question, epoch: number): Promise<LoanAnswer> {
    const { now, capOf } = this.#options;
    const limits = capOf(provider);
    if (!limits) return NOTHING; // the snapshot is on its way
    const book = await this.#bookOf(provider, limits, epoch);
    const lending = book?.kept;
    if (!book || !lending) return NOTHING;
    book.askedAt = now();
    if (lending.limits !== limits) lending.setLimits(limits);
    const answer = lending.lend(request, now());
    if (!lending.wantsReserve(request, answer, now()) || !book.mayRetry) {
      book.tend();
      return answer;
    }
    await book.reserve();
    return this.#with(answer, lending.more(request, now()));
  }

  /** Both are lent. */
  #with(first: LoanAnswer, more: LoanAnswer): LoanAnswer {
    if (first.verdict !== 'lent' || more.verdict !== 'lent') return first;
    return {
      ...more,
      messages: first.messages + more.messages,
      attempts: first.attempts + more.attempts,
    };
  }

  async #bookOf(provider: string, limits: PoolLimits, epoch: number): Promise<RecordKeeper<Lending> | null> {
    const { uid, lease, store, now, wallNow, warn } = this.#options;
    const known = this.#books.get(provider);
    const isOurs = known?.options.writer.epoch === epoch;
    const book = isOurs
      ? known
      : new RecordKeeper<Lending>({
          ...{ address: '*', provider, writer: { uid, epoch }, store: store(provider), now, wallNow, warn },
        });
    if (!isOurs) this.#books.set(provider, book);
    if (book.kept) return book;
    if (!book.mayRetry) return null;
    await book.open(true, (record) => {
      const at = { now: now(), wallNow: wallNow(), skewMs: SKEW_MS };
      return new Lending(limits, lease.since + LOAN_MS, record, at);
    });
    return this.#books.get(provider) === book ? book : null;
  }

  /** To be called every second. */
  tick(): void {
    const { now, lease } = this.#options;
    for (const [provider, book] of this.#books) {
      const isPast = book.options.writer.epoch !== lease.epoch;
      const isIdle = now() - book.askedAt > IDLE_MS && (book.kept?.isIdle ?? true);
      book.kept?.expire(now());
      if (isPast || isIdle) this.#forget(provider);
      if (isIdle && !isPast) void book.release();
      else if (!isPast) book.tend();
    }
  }

  #forget(provider: string): void {
    this.#books.delete(provider);
    poolGauges.forget({ provider });
  }

  /** Brings the gauges up to date. */
  show(): void {
    const now = this.#options.now();
    for (const [provider, { kept }] of this.#books) if (kept) poolGauges.show({ provider }, kept, now);
  }

  /** Lends no more, and writes down what is lent; the lease is to be given up afterwards. */
  async close(): Promise<void> {
    this.#closing = true;
    await Promise.all([...this.#books.values()].map((book) => book.release()));
    for (const provider of this.#books.keys()) this.#forget(provider);
  }
}
