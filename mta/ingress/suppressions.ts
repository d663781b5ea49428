// The suppression question at acceptance. It is a courtesy, the one before each attempt decides: so when PostgreSQL does not
// answer, mail is taken all the same, and after a failure nobody waits for it for a while.
import type { Log } from '../../process/log.ts';

const PAUSE_MS = 2000;

export type Ask = (account: string, addresses: readonly string[]) => Promise<ReadonlySet<string>>;

export class Suppressions {
  readonly #ask: Ask;
  readonly #log: Log;
  readonly #now: () => number;
  #silentUntil = 0;

  constructor(ask: Ask, log: Log, now: () => number = () => performance.now()) {
    this.#ask = ask;
    this.#log = log;
    this.#now = now;
  }

  /** Which of the addresses are suppressed; null when it cannot be known now. */
  async check(account: string, addresses: readonly string[]): Promise<ReadonlySet<string> | null> {
    if (this.#now() < this.#silentUntil) return null;
    try {
      return await this.#ask(account, addresses);
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
