// This pod's parts of the caps: what is in hand for each provider, asked for ahead of need, so that a grant is decided without waiting.
// One question is under way at a time; it carries all providers that are due. When a loan ends, what was granted under it goes.
import { randomBytes } from 'node:crypto';
import { Borrowing } from '../../policy/limits/borrowing.ts';
import type { Granted } from '../../policy/limits/granted.ts';
import type { LoanAnswer, PoolLimits } from '../../policy/limits/poolcap.ts';
import type { PoolClaim, PoolRoom, PoolShare } from '../limits/port.ts';
import { MOST_QUESTIONS, NotLender, type Question } from './dialogue.ts';

export interface BorrowerOptions {
  readonly capOf: (provider: string) => PoolLimits | null;
  /** Connections to the provider that are open now. */
  readonly open: (provider: string) => number;
  /** Rejects when there is no answer in time, well under a loan. */
  readonly ask: (questions: readonly Question[]) => Promise<readonly LoanAnswer[]>;
  /** Monotonic ms. */
  readonly now: () => number;
  readonly warn: (error: unknown) => void;
}

/** How soon to ask again when the lender could not be asked. */
const RETRY_MS = 250;
/** What is said to who could be given nothing, because nobody lends, or all connections are lent. */
const AWAY_RETRY_MS = 1000;

interface Part {
  borrowing: Borrowing;
  /** Those granted under it, to be closed at its end. */
  readonly granted: Set<() => void>;
}

export class Borrower implements PoolShare {
  readonly #options: BorrowerOptions;
  readonly #parts = new Map<string, Part>();
  #flight: Promise<void> | null = null;
  #next: Promise<void> | null = null;
  #notBefore = Number.NEGATIVE_INFINITY;
  #failure: string | null = null;

  constructor(options: BorrowerOptions) {
    this.#options = options;
  }

  room(provider: string, recipients: number): PoolRoom | null {
    const cap = this.#options.capOf(provider);
    if (!cap) return null;
    const now = this.#options.now();
    const { borrowing } = this.#partOf(provider, cap, now);
    borrowing.setLimits(cap);
    borrowing.demand(now, recipients);
    const missing = borrowing.missing(now);
    if (missing === null)
      return {
        kind: 'open',
        connections: borrowing.connections(now),
        recipients: borrowing.recipients(now),
      };
    const emptyFor = borrowing.emptyFor(now);
    if (emptyFor === 0 && now >= this.#notBefore) return { kind: 'wait', until: this.#kick() };
    const why = this.#failure;
    const retryMs = why !== null || missing === 'connections' ? AWAY_RETRY_MS : borrowing.retryMs;
    return { kind: 'none', missing, why, retryMs, cap };
  }

  claim(provider: string, recipients: number, onEnd: () => void): PoolClaim | null {
    const part = this.#parts.get(provider);
    if (!part || !this.#options.capOf(provider)) return null;
    const { borrowing, granted } = part;
    const taking = borrowing.take(recipients);
    granted.add(onEnd);
    if (borrowing.isDue(this.#options.now())) void this.#kick();
    return claimOf(taking, this.#options.now, {
      mayCarry: () => !borrowing.isOver(this.#options.now()),
      closed: () => granted.delete(onEnd),
    });
  }

  /** To be called a few times a second: asks what is due, and ends what is over. */
  tick(): void {
    const now = this.#options.now();
    let isDue = false;
    for (const [provider, part] of this.#parts) {
      const cap = this.#options.capOf(provider);
      if (!cap) {
        part.borrowing.letGo();
        this.#parts.delete(provider);
        continue;
      }
      part.borrowing.setLimits(cap);
      if (part.borrowing.isOver(now)) this.#end(provider, part);
      else if (part.borrowing.isDue(now)) isDue = true;
    }
    if (isDue && now >= this.#notBefore) void this.#kick();
  }

  /** Says once more what was used, when nothing is open any more. Never rejects. */
  settle(): Promise<void> {
    return this.#parts.size > 0 ? this.#kick() : Promise.resolve();
  }

  #partOf(provider: string, cap: PoolLimits, now: number): Part {
    const known = this.#parts.get(provider);
    if (known && !known.borrowing.isOver(now)) return known;
    if (known) this.#end(provider, known);
    const id = randomBytes(12).toString('base64url');
    const part = {
      borrowing: new Borrowing(id, cap, this.#options.open(provider)),
      granted: new Set<() => void>(),
    };
    this.#parts.set(provider, part);
    return part;
  }

  /** The loan is over: nothing more passes on what was granted under it. */
  #end(provider: string, { granted }: Part): void {
    this.#parts.delete(provider);
    if (granted.size > 0)
      this.#options.warn(
        new Error(`the loan of the cap at ${provider} ended: ${granted.size} connections go`),
      );
    for (const close of granted) close();
  }

  /** Asks now, or right after the question that is under way. Never rejects. */
  #kick(): Promise<void> {
    if (!this.#flight) {
      this.#flight = this.#fly().finally(() => {
        this.#flight = null;
      });
      return this.#flight;
    }
    this.#next ??= this.#flight.then(() => {
      this.#next = null;
      return this.#kick();
    });
    return this.#next;
  }

  async #fly(): Promise<void> {
    const { now, ask, open } = this.#options;
    const due = [...this.#parts]
      .filter(([, { borrowing }]) => borrowing.isDue(now()))
      .slice(0, MOST_QUESTIONS);
    if (due.length === 0) return;
    const asked = due.map(([provider, part]) => {
      part.borrowing.openNow(open(provider));
      return { provider, part, request: part.borrowing.ask(now()) };
    });
    try {
      const answers = await ask(asked.map(({ provider, request }) => ({ provider, request })));
      this.#failure = null;
      for (const [at, { provider, part, request }] of asked.entries()) {
        const answer = answers[at] ?? ({ verdict: 'nothing' } as const);
        if (!part.borrowing.answered(request.number, answer, now()) && this.#parts.get(provider) === part)
          this.#end(provider, part);
      }
    } catch (error) {
      this.#failed(error);
      for (const { part, request } of asked) part.borrowing.unanswered(request.number);
    }
  }

  #failed(error: unknown): void {
    const why = `the caps over the pool cannot be asked for: ${(error as Error).message}`;
    if (this.#failure === null && !(error instanceof NotLender)) this.#options.warn(error);
    this.#failure = why;
    this.#notBefore = this.#options.now() + RETRY_MS;
  }
}

function claimOf(
  granted: Granted,
  now: () => number,
  { mayCarry, closed }: { readonly mayCarry: () => boolean; readonly closed: () => void },
): PoolClaim {
  return {
    mayCarry,
    dialled: (attempted) => granted.dialled(now(), attempted),
    report({ accepted, deferred, bounced }) {
      granted.used(now(), accepted);
      granted.spared(now(), deferred + bounced);
    },
    end: (used) => granted.settleRest(now(), used),
    closed() {
      granted.close(now());
      closed();
    },
  };
}
