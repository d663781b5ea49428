// A cap over the whole pool on recipients per window. The pool's lender has one Budget for it and lends parts of it, for a
// short time, to the pods that hold the addresses; what a borrower has not reported when the loan ends counts as used. The lender's
// successor reads the Budget's record with `grantsEndAt: now + LOAN_MS`. Connections are lent as shares: lending.ts.
import { Budget, type BudgetRecord, type Taken, type Takeover, type WindowLimits } from './budget.ts';
import { LOAN_MS } from './lending.ts';

export interface UnitLoan {
  readonly id: number;
  readonly units: number;
  /** By the lender's clock; the borrower has stopped using it LOAN_MS after it asked. */
  readonly until: number;
}

export class UnitLender {
  /** For its limits, slices and record. */
  readonly budget: Budget;
  readonly #loans = new Map<number, UnitLoan>();
  #nextId: number;

  /** @param firstId above every id of the lender before, so that a late report to it means nothing here; its lease epoch times 2³² will do. */
  constructor(firstId: number, limits: WindowLimits, record?: BudgetRecord | null, takeover?: Takeover) {
    this.#nextId = firstId;
    this.budget = new Budget(limits, record, takeover);
  }

  /** Lends up to `want` recipients, at most what is reserved. */
  borrow(want: number, now: number): UnitLoan | Extract<Taken, { refused: unknown }> {
    this.expire(now);
    const taken = this.budget.take(now, want);
    if ('refused' in taken) return taken;
    const loan = { id: this.#nextId++, units: taken.units, until: now + LOAN_MS };
    this.#loans.set(loan.id, loan);
    return loan;
  }

  /** The loan is over, and so many of it count. A loan that had ended by itself has been counted whole. */
  repay(id: number, used: number, now: number): void {
    this.expire(now);
    const loan = this.#loans.get(id);
    if (!loan) return;
    this.#loans.delete(id);
    this.budget.settle(now, loan.units, Math.min(used, loan.units));
  }

  /** Counts the loans that have ended; call it before the record is written. */
  expire(now: number): void {
    for (const loan of this.#loans.values()) {
      if (loan.until > now) return; // in order of their ends
      this.#loans.delete(loan.id);
      this.budget.settle(loan.until, loan.units, loan.units);
    }
  }
}
