// The lender's side of a cap over the pool at one provider: who has been lent what, and what may be lent now.
//
// A lender that follows another knows the total that was reserved (the record) and how many connections there may be, but not who has
// them. For as long as the loans of the one before can last, all of it counts as lent to nobody in particular; a borrower that says what it has gets
// that made out to its name, and nothing more. So a change of lender interrupts nobody, and lends nothing twice.
import { Budget, type BudgetRecord, type Takeover } from './budget.ts';
import type { PairBudgets, PairSlices } from './pair.ts';
import {
  hasWindows,
  LOAN_MS,
  type LoanAnswer,
  type LoanRequest,
  type PoolLimits,
  type Short,
  type Stock,
} from './poolcap.ts';
import type { WindowName } from './window.ts';

interface Units {
  lent: number;
  used: number;
  besides: number;
  want: number;
}
interface Loan {
  number: number;
  /** Connections lent: the share, or as many as it still has if that is more; and those beside. */
  connections: number;
  besides: number;
  wanted: number;
  readonly messages: Units;
  readonly attempts: Units;
  until: number;
}
const KINDS = ['messages', 'attempts'] as const;
type Kind = (typeof KINDS)[number];

export class Lending {
  #limits: PoolLimits;
  readonly #budgets: Readonly<Record<Kind, Budget>>;
  readonly #loans = new Map<string, Loan>();
  readonly #before: { connections: number; messages: number; attempts: number };
  readonly #beforeUntil: number;

  /** @param beforeUntil until when what the lender before has lent may be in use, monotonic ms; now or earlier: no longer */
  constructor(
    limits: PoolLimits,
    beforeUntil: number,
    record: PairBudgets | null,
    takeover: Omit<Takeover, 'grantsEndAt'>,
  ) {
    this.#limits = limits;
    const budget = (of: PoolLimits['messages'], kept: BudgetRecord | undefined) => {
      const at = { ...takeover, grantsEndAt: takeover.now };
      const made = new Budget(of, kept && { ...kept, reserved: 0 }, at);
      made.adopt(kept?.reserved ?? 0);
      return made;
    };
    this.#budgets = {
      messages: budget(limits.messages, record?.messages),
      attempts: budget({ minute: limits.attemptsPerMinute }, record?.attempts),
    };
    // What is left of it was used by then; a record that is read later may be of this lender itself.
    this.#beforeUntil = Math.max(beforeUntil, takeover.now);
    this.#before = {
      connections: Math.max(limits.connections ?? 0, record?.connections ?? 0),
      messages: record?.messages.reserved ?? 0,
      attempts: record?.attempts.reserved ?? 0,
    };
  }

  get limits(): PoolLimits {
    return this.#limits;
  }

  /** Over the same history; a lower one holds as soon as what was lent has come back. */
  setLimits(limits: PoolLimits): void {
    this.#limits = limits;
    this.#budgets.messages.setLimits(limits.messages);
    this.#budgets.attempts.setLimits({ minute: limits.attemptsPerMinute });
  }

  /** Takes in what a borrower says, and lends it what it may. */
  lend(request: LoanRequest, now: number): LoanAnswer {
    this.expire(now);
    const loan = this.#loanOf(request, now);
    if (!loan) return { verdict: 'ended' };
    if (request.number <= loan.number) return { verdict: 'nothing' };
    loan.number = request.number;
    loan.until = now + LOAN_MS;
    for (const kind of KINDS) this.#account(kind, loan[kind], request[kind], now);
    return this.more(request, now);
  }

  /** Lends more of what it wants, after a slice has come in. */
  more(request: LoanRequest, now: number): LoanAnswer {
    const loan = this.#loans.get(request.loan);
    if (loan?.number !== request.number) return { verdict: 'nothing' };
    const connections = this.#share(request, loan);
    const attempts = this.#lendUnits('attempts', loan, now);
    const messages = this.#lendUnits('messages', loan, now);
    const short = attempts.short ?? messages.short;
    return { verdict: 'lent', connections, messages: messages.units, attempts: attempts.units, short };
  }

  #loanOf(request: LoanRequest, now: number): Loan | null {
    const known = this.#loans.get(request.loan);
    if (known) return known;
    const { connections, messages, attempts } = request;
    const holds = connections.held + messages.held + attempts.held > 0;
    const mayAdopt = now < this.#beforeUntil;
    if (holds && !mayAdopt) return null;
    const units = (kind: Kind, { held, used, besides }: Stock): Units => {
      const named = Math.min(held, this.#before[kind]);
      this.#before[kind] -= named;
      this.#budgets[kind].adopt(held - named);
      return { lent: held, used, besides, want: 0 };
    };
    this.#before.connections = Math.max(0, this.#before.connections - connections.held);
    const loan: Loan = {
      number: request.number - 1,
      ...{ connections: connections.held, besides: connections.besides, wanted: 0, until: now + LOAN_MS },
      ...{ messages: units('messages', messages), attempts: units('attempts', attempts) },
    };
    this.#loans.set(request.loan, loan);
    return loan;
  }

  /** What was used counts from now; what it no longer has is free again. */
  #account(kind: Kind, units: Units, { used, held, besides, want }: Stock, now: number): void {
    const news = Math.max(0, used - units.used);
    const back = Math.max(0, units.lent - news - held);
    const known = Math.min(news, units.lent);
    this.#budgets[kind].settle(now, known + back, news + Math.max(0, besides - units.besides));
    units.lent -= known + back;
    units.used = Math.max(used, units.used);
    units.besides = Math.max(besides, units.besides);
    units.want = want;
  }

  #share({ connections: { held, want, besides } }: LoanRequest, loan: Loan): number | null {
    const cap = this.#limits.connections;
    loan.besides = besides;
    loan.wanted = want;
    loan.connections = held;
    if (cap === null) return null;
    const free = cap - this.#lent(loan) - besides;
    const share = Math.max(0, Math.min(this.#fair(loan, cap), free));
    loan.connections = Math.max(held, share);
    return share;
  }

  /** Connections lent to others than `except`. */
  #lent(except: Loan | null): number {
    let sum = this.#before.connections;
    for (const one of this.#loans.values()) if (one !== except) sum += one.connections + one.besides;
    return sum;
  }

  /** Max-min fair: who wants less than an equal part leaves the rest to the others. */
  #fair(loan: Loan, cap: number): number {
    let left = cap;
    const order = [...this.#loans.values()].sort((a, b) => a.wanted - b.wanted);
    for (const [index, one] of order.entries()) {
      const share = Math.min(one.wanted, Math.ceil(left / (order.length - index)));
      if (one === loan) return share;
      left -= share;
    }
    return 0;
  }

  #lendUnits(kind: Kind, loan: Loan, now: number): { units: number; short: Short | null } {
    const units = loan[kind];
    const missing = units.want - units.lent;
    if (missing <= 0 || !this.#isCapped(kind)) return { units: 0, short: null };
    const budget = this.#budgets[kind];
    const others = [...this.#loans.values()].filter((one) => one[kind].want > one[kind].lent).length;
    const part = Math.max(1, Math.floor(budget.room(now) / Math.max(1, others)));
    const taken = budget.take(now, Math.min(missing, part));
    units.lent += taken.units;
    if (!('refused' in taken) || taken.refused === 'Reserve') return { units: taken.units, short: null };
    const limit = kind === 'attempts' ? kind : (taken.refused as WindowName);
    return { units: 0, short: { limit, retryMs: Math.max(100, Math.ceil(taken.retryAt - now)) } };
  }

  #isCapped(kind: Kind): boolean {
    return kind === 'attempts' ? this.#limits.attemptsPerMinute !== null : hasWindows(this.#limits.messages);
  }

  /** Whether a slice would let it have what it wants and has not got with `answer`. */
  wantsReserve({ loan: id }: LoanRequest, answer: LoanAnswer, now: number): boolean {
    const loan = this.#loans.get(id);
    if (!loan || answer.verdict !== 'lent') return false;
    return KINDS.some(
      (kind) => answer[kind] === 0 && loan[kind].want > loan[kind].lent && this.#budgets[kind].slice(now) > 0,
    );
  }

  /** Counts as used what was lent under loans that have ended. */
  expire(now: number): void {
    for (const [id, loan] of this.#loans) {
      if (now < loan.until) continue;
      this.#loans.delete(id);
      for (const kind of KINDS) this.#budgets[kind].settle(loan.until, loan[kind].lent, loan[kind].lent);
    }
    const before = this.#before;
    if (now < this.#beforeUntil) return;
    before.connections = 0;
    for (const kind of KINDS) {
      if (before[kind] === 0) continue;
      this.#budgets[kind].settle(this.#beforeUntil, before[kind], before[kind]);
      before[kind] = 0;
    }
  }

  /** Connections lent now; what the lender before has lent is counted whole until it has ended. */
  connections(now: number): number {
    this.expire(now);
    return this.#lent(null);
  }

  /** Counted in the window now, what is lent included. */
  used(window: WindowName, now: number): number {
    return this.#budgets.messages.used(window, now);
  }

  attempts(now: number): number {
    return this.#budgets.attempts.used('minute', now);
  }

  get isIdle(): boolean {
    return this.#loans.size === 0;
  }

  // What follows is for whoever keeps the record.

  get isDurable(): boolean {
    return KINDS.some((kind) => this.#budgets[kind].isDurable);
  }

  wantsSlice(now: number): boolean {
    return KINDS.some((kind) => this.#budgets[kind].wantsSlice(now));
  }

  slices(now: number): PairSlices {
    this.expire(now);
    return { messages: this.#budgets.messages.slice(now), attempts: this.#budgets.attempts.slice(now) };
  }

  confirmed(slices: PairSlices): void {
    for (const kind of KINDS) this.#budgets[kind].confirmed(slices[kind]);
  }

  release(): void {
    for (const kind of KINDS) this.#budgets[kind].release();
  }

  record(now: number, wallNow: number, slices: PairSlices = { messages: 0, attempts: 0 }): PairBudgets {
    this.expire(now);
    return {
      messages: this.#budgets.messages.record(now, wallNow, slices.messages),
      attempts: this.#budgets.attempts.record(now, wallNow, slices.attempts),
      connections: this.#limits.connections ?? 0,
    };
  }
}
