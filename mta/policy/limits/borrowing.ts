// The borrower's side of a cap over the pool at one provider, under one loan: what is in hand, what is granted of it, and the next question.
// A loan that has ended stays ended; whatever was granted under it has to go, and the next one begins with nothing.
import { Granted } from './granted.ts';
import {
  hasWindows,
  LOAN_MS,
  type LoanAnswer,
  type LoanRequest,
  mostAhead,
  type PoolLimits,
  RENEW_MS,
  type Short,
  type Stock,
} from './poolcap.ts';

/** For how long after the last CONNECT something is kept in hand. */
const DEMAND_MS = 3000;
/** What is not urgent is collected for so long. */
const GAP_MS = 50;
/** How long an answer that brought nothing holds. */
const EMPTY_MS = 250;

interface Units {
  free: number;
  open: number;
  used: number;
  besides: number;
}
const none = (): Units => ({ free: 0, open: 0, used: 0, besides: 0 });

/** What is missing for a grant. */
export type Missing = 'connections' | Short['limit'] | 'messages';

export class Borrowing {
  readonly id: string;
  #limits: PoolLimits;
  #number = 0;
  #asked: { readonly number: number; readonly at: number } | null = null;
  #lastAskedAt = Number.NEGATIVE_INFINITY;
  #until: number | null = null;
  #share = 0;
  #open = 0;
  /** Open connections that were granted without a share. */
  #besides: number;
  readonly #messages = none();
  readonly #attempts = none();
  #wanted = 0;
  #demandUntil = Number.NEGATIVE_INFINITY;
  #short: Short | null = null;
  #emptyUntil = Number.NEGATIVE_INFINITY;
  #hasNews = true;
  #isFree = false;

  /** @param besides connections to the provider that are open already */
  constructor(id: string, limits: PoolLimits, besides = 0) {
    this.id = id;
    this.#limits = limits;
    this.#besides = besides;
  }

  /** Of what is in hand under other limits nothing may be granted: it goes back. */
  setLimits(limits: PoolLimits): void {
    if (limits === this.#limits) return;
    this.#limits = limits;
    for (const units of [this.#messages, this.#attempts]) units.free = 0;
    this.#share = this.#open;
    this.#emptyUntil = Number.NEGATIVE_INFINITY;
    this.#hasNews = true;
  }

  /** Whether what was granted under it may go on. */
  isOver(now: number): boolean {
    return !this.#isFree && this.#until !== null && now >= this.#until;
  }

  /** The cap is no more: what was granted under it goes on without a loan. */
  letGo(): void {
    this.#isFree = true;
  }

  /** Whether nothing was ever lent, or all of it has been accounted for and nobody asks for more. */
  isIdle(now: number): boolean {
    const units = this.#messages.open + this.#messages.free + this.#attempts.open + this.#attempts.free;
    return now >= this.#demandUntil && this.#open + this.#besides + units === 0 && !this.#hasNews;
  }

  /** Somebody wants a connection with so many recipients. */
  demand(now: number, recipients: number): void {
    this.#demandUntil = now + DEMAND_MS;
    this.#wanted = recipients;
  }

  /** Connections that may be opened now. */
  connections(now: number): number {
    if (this.#until === null || this.isOver(now)) return 0;
    if (this.#limits.attemptsPerMinute !== null && this.#attempts.free < 1) return 0;
    if (this.#limits.connections === null) return Number.POSITIVE_INFINITY;
    return Math.max(0, this.#share - this.#open);
  }

  /** Recipients that may be granted now. */
  recipients(now: number): number {
    if (this.#until === null || this.isOver(now)) return 0;
    return hasWindows(this.#limits.messages) ? this.#messages.free : Number.POSITIVE_INFINITY;
  }

  /** What a grant would lack; null: nothing. */
  missing(now: number): Missing | null {
    if (this.#until === null || this.isOver(now))
      return this.#limits.connections === null ? 'messages' : 'connections';
    if (this.recipients(now) < 1) return this.#short?.limit ?? 'messages';
    if (this.connections(now) >= 1) return null;
    const lacksAttempt = this.#limits.attemptsPerMinute !== null && this.#attempts.free < 1;
    return lacksAttempt ? 'attempts' : 'connections';
  }

  /** For how long, ms, no answer will bring what is missing; 0: one may. */
  emptyFor(now: number): number {
    return Math.max(0, this.#emptyUntil - now);
  }

  /** How long to wait for what is missing, as far as the lender has said. */
  get retryMs(): number {
    return this.#short?.retryMs ?? RENEW_MS;
  }

  /** Takes what a grant needs; `connections` and `recipients` must have said that it is there. */
  take(recipients: number): Granted {
    const lent = {
      messages: hasWindows(this.#limits.messages),
      attempts: this.#limits.attemptsPerMinute !== null,
    };
    this.#open++;
    if (lent.messages) move(this.#messages, recipients);
    if (lent.attempts) move(this.#attempts, 1);
    return new Granted(recipients, {
      dialled: (_, attempted) => this.#settle(this.#attempts, lent.attempts, 1, attempted ? 1 : 0),
      settle: (_, units, used) => this.#settle(this.#messages, lent.messages, units, used),
      closed: () => {
        this.#open--;
        this.#hasNews = true;
      },
    });
  }

  #settle(units: Units, isLent: boolean, count: number, used: number): void {
    if (isLent) {
      units.open -= count;
      units.used += used;
      units.free += count - used;
    } else units.besides += used;
    if (count > 0) this.#hasNews = true;
  }

  /** How many connections to the provider are open in all: those beside the loan count as well. */
  openNow(all: number): void {
    this.#besides = Math.max(0, all - this.#open);
  }

  /** Whether the lender should be asked now: because time has passed, because something is short, or has become free. */
  isDue(now: number): boolean {
    if (this.isIdle(now)) return false;
    const since = now - this.#lastAskedAt;
    if (since >= RENEW_MS) return true;
    const isWanted = now < this.#demandUntil && now >= this.#emptyUntil;
    if (isWanted && this.missing(now) !== null) return true;
    return since >= GAP_MS && (this.#hasNews || (isWanted && this.#isLow()));
  }

  #isLow(): boolean {
    const { messages, attemptsPerMinute, connections } = this.#limits;
    const low = (units: Units, most: number) => 2 * units.free < most;
    return (
      (hasWindows(messages) && low(this.#messages, this.#ahead())) ||
      (attemptsPerMinute !== null && low(this.#attempts, mostAhead({ minute: attemptsPerMinute }))) ||
      (connections !== null && this.#share <= this.#open)
    );
  }

  #ahead(): number {
    return Math.min(mostAhead(this.#limits.messages), Math.max(1, this.#wanted));
  }

  /** The next question; gives back what is more than needed. An answer to one before it means nothing from now on. */
  ask(now: number): LoanRequest {
    const isWanted = now < this.#demandUntil;
    const { attemptsPerMinute, messages } = this.#limits;
    const number = ++this.#number;
    this.#asked = { number, at: now };
    this.#lastAskedAt = now;
    this.#hasNews = false;
    this.#share = isWanted ? Math.max(this.#open, this.#share) : this.#open;
    const most = attemptsPerMinute === null ? 0 : mostAhead({ minute: attemptsPerMinute });
    return {
      loan: this.id,
      number,
      connections: {
        held: this.#share,
        want: this.#open + (isWanted ? Math.ceil(this.#open / 4) + 1 : 0),
        besides: this.#besides,
      },
      messages: stock(this.#messages, isWanted && hasWindows(messages) ? this.#ahead() : 0),
      attempts: stock(this.#attempts, isWanted ? most : 0),
    };
  }

  /** Takes in the answer to question `number`. False: the loan has ended. */
  answered(number: number, answer: LoanAnswer, now: number): boolean {
    if (this.#asked?.number !== number || this.isOver(now)) return !this.isOver(now);
    const { at } = this.#asked;
    this.#asked = null;
    if (answer.verdict === 'ended') return false;
    if (answer.verdict === 'nothing') return true;
    this.#until = at + LOAN_MS;
    // A lender that does not know of the cap yet has lent nothing of it.
    this.#share = answer.connections ?? this.#open;
    this.#messages.free += answer.messages;
    this.#attempts.free += answer.attempts;
    this.#short = answer.short;
    if (this.missing(now) !== null) this.#emptyUntil = now + EMPTY_MS;
    return true;
  }

  /** The question was not answered: its answer, should it come, is not taken. */
  unanswered(number: number): void {
    if (this.#asked?.number === number) this.#asked = null;
    this.#hasNews = true;
  }

  /** Open under the loan. */
  get open(): number {
    return this.#open;
  }
}

function move(units: Units, count: number): void {
  units.free -= count;
  units.open += count;
}

/** What it states of its units, after giving back what is more than `ahead`. */
function stock(units: Units, ahead: number): Stock {
  units.free = Math.min(units.free, ahead);
  const { free, open, used, besides } = units;
  return { held: free + open, used, besides, want: open + ahead };
}
