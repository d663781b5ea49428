// One granted connection: an attempt, a slot and some recipients, given back bit by bit.
import type { Budget } from './budget.ts';

export class PairGrant {
  readonly recipients: number;
  #left: number;
  #dialled = false;
  #ended = false;
  readonly #messages: Budget;
  readonly #attempts: Budget;
  readonly #onEnd: () => void;

  constructor(recipients: number, messages: Budget, attempts: Budget, onEnd: () => void) {
    this.recipients = recipients;
    this.#left = recipients;
    this.#messages = messages;
    this.#attempts = attempts;
    this.#onEnd = onEnd;
  }

  /** The dial has ended, well or not; `attempted` is false when no packet left (no address, no socket). */
  dialled(now: number, attempted = true): void {
    if (this.#dialled) return;
    this.#dialled = true;
    this.#attempts.settle(now, 1, attempted ? 1 : 0);
  }

  /** Delivery has reported the outcome of this many recipients so far not reported, and that they count. */
  used(now: number, recipients: number): void {
    const units = Math.min(recipients, this.#left);
    this.#left -= units;
    this.#messages.settle(now, units, units);
  }

  /** The connection is gone. `used`: how many of the rest count; without word of them, all do. */
  end(now: number, used: number = this.#left): void {
    if (this.#ended) return;
    this.#ended = true;
    this.dialled(now);
    this.#messages.settle(now, this.#left, Math.min(used, this.#left));
    this.#left = 0;
    this.#onEnd();
  }
}
