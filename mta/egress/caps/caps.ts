// The caps of the IPPool in this pod, put together: what is set, who lends it, and this pod's parts. Without a cap none of it does anything.
import type { Credentials } from '../../../process/identity/credentials.ts';
import type { Identity } from '../../../process/identity/name.ts';
import type { Log } from '../../../process/log.ts';
import type { Bus } from '../../bus/client.ts';
import { LEASE_BUCKET, LIMITS_BUCKET, lenderKey, poolLimitsKey } from '../../bus/names.ts';
import type { AddressLease, PoolSnapshot } from '../../bus/snapshot.ts';
import type { PairRecord } from '../../policy/limits/pair.ts';
import type { LoanAnswer } from '../../policy/limits/poolcap.ts';
import type { Clock } from '../clock.ts';
import { LeaseConflict } from '../lease.ts';
import { PairConflict } from '../limits/record_keeper.ts';
import { recordStore } from '../record_store.ts';
import { Refused } from '../refusal.ts';
import { Borrower } from './borrower.ts';
import { ANSWER_MS, LoansClient } from './client.ts';
import { type LoansRequest, type LoansResponse, NotLender, type Question } from './dialogue.ts';
import { LenderLease } from './lease.ts';
import { Lender } from './lender.ts';
import { lends, poolGauges } from './metrics.ts';
import { anyCap, CapBook } from './policy.ts';

export interface PoolCapsOptions {
  /** namespace/name */
  readonly ipPool: string;
  /** How other pods reach this one; known when it listens. */
  readonly self: () => AddressLease['holder'];
  /** Gives no bucket before `wallNow` is known. */
  readonly bus: Pick<Bus, 'kv' | 'obstacle'>;
  readonly tls: () => Credentials;
  /** Connections to the provider that are open now. */
  readonly open: (provider: string) => number;
  readonly clock: Clock;
  /** ms since the epoch, the same for all pods. */
  readonly wallNow: () => number;
  readonly log: Log;
}

/** How long giving the lease up may take. */
const RELEASE_MS = 2000;

export class PoolCaps {
  readonly borrower: Borrower;
  readonly #options: PoolCapsOptions;
  readonly #book = new CapBook();
  readonly #lease: LenderLease;
  readonly #lender: Lender;
  readonly #client: LoansClient;
  #isClosed = false;

  constructor(options: PoolCapsOptions) {
    const { ipPool, self, clock, wallNow, log } = options;
    this.#options = options;
    this.#lease = new LenderLease({
      ...{ ipPool, self, clock, wallNow, store: this.#leaseStore() },
      onChange: (epoch) => {
        lends.set(epoch === null ? 0 : 1);
        log.info({ epoch }, epoch === null ? 'lends the caps no more' : 'lends the caps over the pool');
      },
    });
    const warn = (error: unknown) => log.warn({ err: error }, 'caps over the pool');
    const capOf = (provider: string) => this.#book.of(provider);
    this.#lender = new Lender({
      ...{ uid: self().uid, lease: this.#lease, capOf, now: clock.now, wallNow, warn },
      store: (provider) => this.#limitsStore(provider),
    });
    this.#client = new LoansClient(options.tls);
    poolGauges.onScrape(() => this.#lender.show());
    this.borrower = new Borrower({
      ...{ capOf, open: options.open, now: clock.now, warn },
      ask: (questions) => this.#ask(questions),
    });
  }

  /** Takes in the policies of all pools that send through the IPPool. */
  apply(pools: readonly Pick<PoolSnapshot, 'policy'>[]): void {
    const shapings = pools.map(({ policy }) => policy.shaping);
    this.#book.set(shapings);
    if (this.#isClosed) return;
    if (anyCap(shapings)) this.#lease.start();
    else void this.#lease.stop(AbortSignal.timeout(RELEASE_MS));
  }

  /** Answers another pod of the IPPool. @throws Refused */
  async lend(caller: Identity | null, { ipPool, questions }: LoansRequest): Promise<LoansResponse> {
    const [, name] = this.#options.ipPool.split('/');
    if (caller?.role !== 'egress' || caller.pool !== name || ipPool !== this.#options.ipPool)
      throw new Refused('ForbiddenCaller', `the caller is no egress pod of ${this.#options.ipPool}`);
    try {
      return { answers: await this.#lender.lend(questions) };
    } catch (error) {
      if (error instanceof NotLender) throw new Refused('NotHolder', error.message, { cause: error });
      throw error;
    }
  }

  async #ask(questions: readonly Question[]): Promise<readonly LoanAnswer[]> {
    const { lender } = this.#lease;
    if (!lender) throw new NotLender('nobody lends now');
    if (lender.uid === this.#options.self().uid) return inTime(this.#lender.lend(questions));
    const { ipPool } = this.#options;
    return (await this.#client.ask(lender, { ipPool, questions: [...questions] })).answers;
  }

  #leaseStore() {
    const { bus, ipPool } = this.#options;
    return recordStore<AddressLease>({
      bucket: () => bus.kv(LEASE_BUCKET),
      obstacle: bus.obstacle,
      key: lenderKey(ipPool),
      conflict: (revision, cause) =>
        new LeaseConflict(`the lease of the lender is not at revision ${revision}`, { cause }),
    });
  }

  #limitsStore(provider: string) {
    const { bus, ipPool } = this.#options;
    return recordStore<PairRecord>({
      bucket: () => bus.kv(LIMITS_BUCKET),
      obstacle: bus.obstacle,
      key: poolLimitsKey(ipPool, provider),
      conflict: (revision, cause) =>
        new PairConflict(`the caps at ${provider} are not at revision ${revision}`, { cause }),
    });
  }

  /** To be called a few times a second. */
  tick(): void {
    this.borrower.tick();
  }

  /** To be called every second. */
  tend(): void {
    this.#lender.tick();
  }

  /** At the very end, when nothing is open here: accounts for what was lent, and lends no more; another pod may at once. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.borrower.settle();
    await this.#lender.close();
    await this.#lease.stop(AbortSignal.timeout(RELEASE_MS));
    this.#client.close();
  }
}

async function inTime<T>(answer: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error('no answer')), ANSWER_MS);
  return Promise.race([answer, late]).finally(() => clearTimeout(timer));
}
