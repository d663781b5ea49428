// Everything that limits one (address, provider), in one decision: connections, attempts a minute, messages per connection and
// per window, what the warm-up and a cap over the pool leave, and whose turn it is.
import { Budget, type BudgetRecord, type Taken, type Takeover, type WindowLimits } from './budget.ts';
import { Granted } from './granted.ts';
import { type Asker, Turns } from './turns.ts';
import type { WindowName } from './window.ts';

export interface PairLimits {
  readonly connections: number;
  readonly messagesPerConnection: number;
  /** Null: no limit. */
  readonly attemptsPerMinute: number | null;
  readonly messages: WindowLimits;
}

/** Value of the KV key `limits.<address>.<provider>`, written by the holder by compare-and-set before a slice is granted from. */
export interface PairRecord extends PairBudgets {
  readonly version: 1;
  readonly address: string;
  readonly provider: string;
  /** Who wrote it, and the epoch it held the address under. */
  readonly writer?: { readonly uid: string; readonly epoch: number };
  /** The name that a policy gave the provider afterwards: it goes on under that. */
  readonly continuedAs?: string;
}
export interface PairBudgets {
  readonly messages: BudgetRecord;
  readonly attempts: BudgetRecord;
  /** How many connections its writer may open; a successor counts them until the writer's grants have ended. */
  readonly connections: number;
}

/** What else bounds this grant: the warm-up's room, the share of a cap over the pool. */
export interface Outside {
  readonly recipients: number;
  readonly connections: number;
  /** When to come back if that is nothing. */
  readonly retryMs?: number;
}
export const UNBOUNDED: Outside = {
  recipients: Number.POSITIVE_INFINITY,
  connections: Number.POSITIVE_INFINITY,
};

export type PairLimit = 'connections' | 'attempts' | 'turn' | 'outside' | WindowName;
export type PairAnswer =
  | { readonly verdict: 'granted'; readonly grant: Granted }
  | { readonly verdict: 'reserve' } // write the next record, confirm it, ask again
  | { readonly verdict: 'refused'; readonly limit: PairLimit; readonly retryMs: number };

const LONGEST_RETRY_MS = 15_000;
const SLOT_RETRY_MS = 1000;

export interface PairSlices {
  readonly messages: number;
  readonly attempts: number;
}

export class Pair {
  #limits: PairLimits;
  readonly #messages: Budget;
  readonly #attempts: Budget;
  readonly #turns = new Turns();
  #inherited: { readonly connections: number; readonly until: number };
  #open = 0;

  constructor(limits: PairLimits, record?: PairRecord | null, takeover?: Takeover) {
    this.#limits = limits;
    this.#messages = new Budget(limits.messages, record?.messages, takeover);
    this.#attempts = new Budget({ minute: limits.attemptsPerMinute }, record?.attempts, takeover);
    this.#inherited = {
      connections: record?.connections ?? limits.connections,
      until: takeover?.grantsEndAt ?? 0,
    };
  }

  /** Takes effect at the next grant, over the same history. */
  setLimits(limits: PairLimits): void {
    this.#limits = limits;
    this.#messages.setLimits(limits.messages);
    this.#attempts.setLimits({ minute: limits.attemptsPerMinute });
  }

  /**
   * What a predecessor that handed over still has open, as it says itself; 0: its last grant has ended. Of a pair that was made with
   * `grantsEndAt` in the future this ends the waiting.
   */
  setInherited(now: number, connections: number): void {
    if (connections === 0 && now < this.#inherited.until)
      for (const budget of [this.#messages, this.#attempts]) budget.predecessorEnded(now);
    this.#inherited = { connections, until: connections === 0 ? 0 : Number.POSITIVE_INFINITY };
  }

  /** May `asker` open a connection now, and for how many recipients? A granted one is an attempt, a connection and a turn. */
  grant(asker: Asker, now: number, want: number, outside: Outside = UNBOUNDED): PairAnswer {
    const ahead = this.#turns.ahead(asker, now);
    const room = Math.min(this.#limits.connections - this.#used(now), outside.connections);
    if (room <= 0) return this.#refuse(asker, now, 'connections', SLOT_RETRY_MS * (ahead + 1));
    if (ahead >= room) return this.#refuse(asker, now, 'turn', SLOT_RETRY_MS * Math.ceil((ahead + 1) / room));
    if (outside.recipients < 1)
      return this.#refuse(asker, now, 'outside', outside.retryMs ?? LONGEST_RETRY_MS);
    // Of scarce recipients one is left for each of those whose turn it is before.
    const spare = this.#messages.room(now) - ahead;
    if (ahead > 0 && spare < 1) return this.#refuse(asker, now, 'turn', SLOT_RETRY_MS * ahead);
    return this.#take(
      asker,
      now,
      Math.min(want, this.#limits.messagesPerConnection, outside.recipients, Math.max(1, spare)),
    );
  }

  #take(asker: Asker, now: number, want: number): PairAnswer {
    const attempt = this.#attempts.take(now, 1);
    if ('refused' in attempt) return this.#short(asker, now, attempt, 'attempts');
    const taken = this.#messages.take(now, want);
    if ('refused' in taken) {
      this.#attempts.settle(now, 1, 0);
      return this.#short(asker, now, taken);
    }
    this.#open++;
    this.#turns.granted(asker);
    const grant = new Granted(taken.units, {
      dialled: (at, attempted) => this.#attempts.settle(at, 1, attempted ? 1 : 0),
      settle: (at, recipients, used) => this.#messages.settle(at, recipients, used),
      closed: () => {
        this.#open--;
        this.#turns.ended(asker);
      },
    });
    return { verdict: 'granted', grant };
  }

  #short(
    asker: Asker,
    now: number,
    short: Extract<Taken, { refused: unknown }>,
    limit?: PairLimit,
  ): PairAnswer {
    if (short.refused === 'Reserve') return { verdict: 'reserve' };
    return this.#refuse(asker, now, limit ?? short.refused, short.retryAt - now);
  }

  #refuse(asker: Asker, now: number, limit: PairLimit, waitMs: number): PairAnswer {
    const retryMs = Math.max(100, Math.min(LONGEST_RETRY_MS, waitMs));
    this.#turns.refused(asker, now, retryMs);
    return { verdict: 'refused', limit, retryMs };
  }

  #used(now: number): number {
    return this.#open + (now < this.#inherited.until ? this.#inherited.connections : 0);
  }

  /** Connections in use, inherited ones included. */
  connections(now: number): number {
    return this.#used(now);
  }

  /** Lets go of what is reserved and not granted: before the last record is written. */
  release(): void {
    this.#messages.release();
    this.#attempts.release();
  }

  /** Recipients that the windows leave now; Infinity without limits. */
  room(now: number): number {
    return this.#messages.room(now);
  }

  /** Whether limits hold that are reserved ahead. */
  get isDurable(): boolean {
    return this.#messages.isDurable || this.#attempts.isDurable;
  }

  get limits(): PairLimits {
    return this.#limits;
  }

  /** Connection attempts of the last minute, those under way included. */
  attempts(now: number): number {
    return this.#attempts.used('minute', now);
  }

  /** Recipients counted in the window, open grants included. */
  used(window: WindowName, now: number): number {
    return this.#messages.used(window, now);
  }

  /** Whether a slice should be fetched before it is needed. */
  wantsSlice(now: number): boolean {
    return this.#messages.wantsSlice(now) || this.#attempts.wantsSlice(now);
  }

  /** The next slices; write `record(…, slices)`, then `confirmed(slices)`. One write at a time. */
  slices(now: number): PairSlices {
    return { messages: this.#messages.slice(now), attempts: this.#attempts.slice(now) };
  }

  confirmed(slices: PairSlices): void {
    this.#messages.confirmed(slices.messages);
    this.#attempts.confirmed(slices.attempts);
  }

  /** What a successor must know; without slices also at release, when everything is closed. */
  record(now: number, wallNow: number, { messages, attempts }: PairSlices = NO_SLICES): PairBudgets {
    return {
      messages: this.#messages.record(now, wallNow, messages),
      attempts: this.#attempts.record(now, wallNow, attempts),
      connections: this.#limits.connections,
    };
  }
}

const NO_SLICES: PairSlices = { messages: 0, attempts: 0 };
