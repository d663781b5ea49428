// One granted connection: an attempt, a slot and some recipients, given back bit by bit.
import type { Budget } from './budget.ts';

export class PairGrant {
  readonly recipients: number;
  #left: number;
  #dialled = false;
  #closed = false;
  readonly #messages: Budget;
  readonly #attempts: Budget;
  readonly #onClose: () => void;

  constructor(recipients: number, messages: Budget, attempts: Budget, onClose: () => void) {
    this.recipients = recipients;
    this.#left = recipients;
    this.#messages = messages;
    this.#attempts = attempts;
    this.#onClose = onClose;
  }

  /** The dial has ended, well or not; `attempted` is false when no packet left (no address, no socket). */
  dialled(now: number, attempted = true): void {
    if (this.#dialled) return;
    this.#dialled = true;
    this.#attempts.settle(now, 1, attempted ? 1 : 0);
  }

  /** Delivery has reported the outcome of this many recipients so far not reported, and that they count. */
  used(now: number, recipients: number): void {
    this.#settle(now, recipients, recipients);
  }

  /** The same of recipients that do not count: refused by the host. The connection carries them no more. */
  spared(now: number, recipients: number): void {
    this.#settle(now, recipients, 0);
  }

  /** The connection is gone: its slot is free. What it carried last may still be reported. */
  close(now: number): void {
    if (this.#closed) return;
    this.#closed = true;
    this.dialled(now);
    this.#onClose();
  }

  /** Nothing more is reported. `used`: how many of the rest count; without word of them, all do. */
  settleRest(now: number, used: number = this.#left): void {
    this.#settle(now, this.#left, used);
  }

  /** Both at once. */
  end(now: number, used?: number): void {
    this.settleRest(now, used);
    this.close(now);
  }

  #settle(now: number, recipients: number, used: number): void {
    const units = Math.min(recipients, this.#left);
    this.#left -= units;
    this.#messages.settle(now, units, Math.min(used, units));
  }
}
