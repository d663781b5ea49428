// The suppression question at acceptance. It is a courtesy, the one before each attempt decides: so when PostgreSQL does not
// answer, mail is taken all the same, and after a failure nobody waits for it for a while.
import type { Log } from '../../process/log.ts';

const PAUSE_MS = 2000;

export interface Pair {
  readonly account: string;
  readonly address: string;
}
/** Which of the pairs are suppressed, in their order. */
export type Ask = (pairs: readonly Pair[]) => Promise<readonly boolean[]>;

interface Waiting {
  readonly pairs: readonly Pair[];
  readonly resolve: (suppressed: ReadonlySet<string> | null) => void;
}

export class Suppressions {
  readonly #ask: Ask;
  readonly #log: Log;
  readonly #now: () => number;
  #silentUntil = 0;
  #waiting: Waiting[] = [];
  #asking = false;

  constructor(ask: Ask, log: Log, now: () => number = () => performance.now()) {
    this.#ask = ask;
    this.#log = log;
    this.#now = now;
  }

  /** Which of the addresses are suppressed; null when it cannot be known now. */
  check(account: string, addresses: readonly string[]): Promise<ReadonlySet<string> | null> {
    return new Promise((resolve) => {
      this.#waiting.push({ pairs: addresses.map((address) => ({ account, address })), resolve });
      if (!this.#asking) void this.#work();
    });
  }

  /** One question at a time: what comes while it is under way goes together into the next, so nobody waits for company. */
  async #work(): Promise<void> {
    this.#asking = true;
    while (this.#waiting.length > 0) {
      const together = this.#waiting;
      this.#waiting = [];
      const answers = await this.#answers(together.flatMap(({ pairs }) => pairs));
      let at = 0;
      for (const { pairs, resolve } of together) {
        const hits = answers && pairs.filter((_, i) => answers[at + i]).map(({ address }) => address);
        resolve(hits && new Set(hits));
        at += pairs.length;
      }
    }
    this.#asking = false;
  }

  async #answers(pairs: readonly Pair[]): Promise<readonly boolean[] | null> {
    if (this.#now() < this.#silentUntil) return null;
    try {
      return await this.#ask(pairs);
    } catch (error) {
      this.#silentUntil = this.#now() + PAUSE_MS;
      this.#log.warn(
        { error: (error as Error).message },
        'suppression is left to delivery: PostgreSQL does not answer',
      );
      return null;
    }
  }
}
