// What a keeper holds now, and until when. The end is looked at each time: a process that was paused may be asked for a connection, or
// have one carry on, before its timers have run.
import { LONGEST_CONNECTION_MS } from '../bus/connect.ts';
import type { AddressLease } from '../bus/snapshot.ts';
import type { Clock } from './clock.ts';

export interface Held {
  readonly record: AddressLease;
  readonly revision: number;
  /** When the last confirmed renewal was sent. */
  readonly confirmedMs: number;
}

/** Handed over: its connections go on, and the next holder counts them. */
export type HoldEnd = 'closed' | 'handed over';

export class Hold {
  readonly #clock: Clock;
  readonly #onEnd: () => void;
  #held: Held | null = null;
  #sinceMs = 0;
  #endsAtMs = Number.POSITIVE_INFINITY;
  /** Monotonic ms from when on its connections carry nothing. */
  #carriesUntil = Number.NEGATIVE_INFINITY;
  #cancelEnd = () => {};

  /** @param onEnd told when its time is over and nothing has extended it */
  constructor(clock: Clock, onEnd: () => void) {
    this.#clock = clock;
    this.#onEnd = onEnd;
  }

  /** The record it is held by; still there for the moment between its end and `onEnd`. */
  get held(): Held | null {
    return this.#held;
  }

  /** The epoch it is held under; null while it is not. */
  get epoch(): number | null {
    const over = this.#clock.now() >= this.#endsAtMs;
    return over ? null : (this.#held?.record.epoch ?? null);
  }

  /** Whether its connections may carry anything now. */
  get mayCarry(): boolean {
    return this.#clock.now() < this.#carriesUntil;
  }

  /** It is held for longer than any connection of a holder before can last; one that was killed never says that it is gone. */
  get hasOutlivedAll(): boolean {
    return this.#clock.now() - this.#sinceMs > LONGEST_CONNECTION_MS;
  }

  begin(held: Held, endsAt: number): void {
    this.#sinceMs = this.#clock.now();
    this.extend(held, endsAt);
  }

  /** @param endsAt monotonic ms; Infinity: it has no end */
  extend(held: Held, endsAt: number): void {
    this.#held = held;
    this.#endsAtMs = endsAt;
    this.#carriesUntil = endsAt;
    this.#cancelEnd();
    if (endsAt !== Number.POSITIVE_INFINITY)
      this.#cancelEnd = this.#clock.after(endsAt - this.#clock.now(), this.#onEnd);
  }

  /** The record stands otherwise than was known; its end is what it was. */
  correct(held: Held): void {
    this.#held = held;
  }

  /** @returns whether it was held */
  drop(end: HoldEnd): boolean {
    this.#cancelEnd();
    this.#carriesUntil = end === 'closed' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
    const had = this.#held !== null;
    this.#held = null;
    return had;
  }
}
