// One granted connection: an attempt, a slot and some recipients, given back bit by bit. However often an end is told, it counts once.

/** What they were granted of. Times in monotonic ms. */
export interface Account {
  /** The attempt is over, and whether it was one. */
  readonly dialled: (now: number, attempted: boolean) => void;
  /** So many recipients have an outcome, and `used` of them count. */
  readonly settle: (now: number, recipients: number, used: number) => void;
  /** The slot is free. */
  readonly closed: () => void;
}

export class Granted {
  readonly recipients: number;
  readonly #account: Account;
  #left: number;
  #isDialled = false;
  #isClosed = false;

  constructor(recipients: number, account: Account) {
    this.recipients = recipients;
    this.#left = recipients;
    this.#account = account;
  }

  /** The dial has ended, well or not; `attempted` is false when no packet left (no address, no socket). */
  dialled(now: number, attempted = true): void {
    if (this.#isDialled) return;
    this.#isDialled = true;
    this.#account.dialled(now, attempted);
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
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.dialled(now);
    this.#account.closed();
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
    this.#account.settle(now, units, Math.min(used, units));
  }
}
