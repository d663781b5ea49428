// A cap over the whole pool when its addresses are held by several pods. One of them, by a lease of its own, lends parts of
// the cap to the others (and itself) for a short time. A part that is not renewed comes back when it ends: the borrower counts
// its end from when it asked, the lender from when it answered, so the borrower has always stopped first.
// A new lender lends nothing until every loan of the one before must have ended; so loans need no record.
//
// This is for connections. A cap over windows is lent as recipients: loans.ts.

/** How long a loan lasts; renewed at a third of it. */
export const LOAN_MS = 9000;

interface Loan {
  readonly want: number;
  /** What it may believe to have: the newest answer last, older ones until it has shown that it knows a newer. */
  readonly answers: readonly { readonly share: number; readonly until: number }[];
}

export interface LoanRequest {
  /** Egress pod UID. */
  readonly borrower: string;
  /** How many it could use. */
  readonly want: number;
  /** What it holds itself to from now on: its last answer, or as many as are still open if that is more; 0 at first. */
  readonly held: number;
}

export class Lender {
  #cap: number;
  readonly #lendsFrom: number;
  readonly #loans = new Map<string, Loan>();

  /** @param since when this pod became the lender, monotonic ms. @param isFirst nobody can have lent before it. */
  constructor(cap: number, since: number, isFirst = false) {
    this.#cap = cap;
    this.#lendsFrom = isFirst ? since : since + LOAN_MS;
  }

  /** A lower cap holds as soon as what was lent has come back. */
  setCap(cap: number): void {
    this.#cap = cap;
  }

  /** The part of the cap that `borrower` may use for LOAN_MS from when it asked. */
  lend({ borrower, want, held }: LoanRequest, now: number): number {
    if (now < this.#lendsFrom) return 0;
    this.#expire(now);
    const before = this.#loans.get(borrower)?.answers ?? [];
    const kept = before
      .map((one) => ({ ...one, share: Math.min(one.share, held) }))
      .filter((one) => one.share > 0);
    this.#loans.set(borrower, { want, answers: kept });
    const free = this.#cap - this.#lent(borrower);
    const share = Math.max(0, Math.min(this.#fair(borrower), free));
    this.#loans.set(borrower, { want, answers: [...kept, { share, until: now + LOAN_MS }] });
    return share;
  }

  /** Lent now, at most what the cap was. */
  lent(now: number): number {
    this.#expire(now);
    return this.#lent(null);
  }

  #lent(except: string | null): number {
    let sum = 0;
    for (const [borrower, { answers }] of this.#loans)
      if (borrower !== except) sum += Math.max(0, ...answers.map((one) => one.share));
    return sum;
  }

  /** Max-min fair: who wants less than an equal part leaves the rest to the others. Odd ones go to the first by name. */
  #fair(borrower: string): number {
    let left = this.#cap;
    const order = [...this.#loans].map(([name, { want }]) => ({ name, want }));
    order.sort((a, b) => a.want - b.want || (a.name < b.name ? 1 : -1));
    for (const [index, one] of order.entries()) {
      const share = Math.min(one.want, Math.floor(left / (order.length - index)));
      if (one.name === borrower) return share;
      left -= share;
    }
    return 0;
  }

  #expire(now: number): void {
    for (const [borrower, { want, answers }] of this.#loans) {
      const left = answers.filter((one) => one.until > now);
      if (left.length === 0) this.#loans.delete(borrower);
      else if (left.length < answers.length) this.#loans.set(borrower, { want, answers: left });
    }
  }
}

/** A borrower's side of it. */
export interface Share {
  readonly share: number;
  readonly until: number;
}
export const NO_SHARE: Share = { share: 0, until: 0 };

/** The answer to what was asked at `askedAt`, by the borrower's own clock. What is open beyond it has to be closed by the old end. */
export const borrowed = (share: number, askedAt: number): Share => ({ share, until: askedAt + LOAN_MS });

export const shareAt = ({ share, until }: Share, now: number): number => (now < until ? share : 0);
