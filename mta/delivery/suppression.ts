// The suppression question before every attempt. Questions of a few milliseconds are asked together, and so are those that come
// while one is under way; when the answer cannot be known, nothing is sent: the breaker opens, and no attempt starts until a
// question has been answered again.
import type { Log } from '../../process/log.ts';
import type { SuppressionLookup } from './ports.ts';

export interface Question {
  readonly account: string;
  readonly address: string;
}

/** The answer is not known; the recipients must be held. */
export class SuppressionUnknown extends Error {
  override readonly name = 'SuppressionUnknown';
}

interface Asked {
  readonly pairs: readonly Question[];
  readonly resolve: (answers: readonly boolean[]) => void;
  readonly reject: (error: Error) => void;
}

const GATHER_MS = 5;
const MOST_PAIRS = 500;
const PROBE_MS = 2000;
/** Beyond the database's own limits for a statement. */
const ANSWER_MS = 15_000;

export class Suppression {
  readonly #lookup: SuppressionLookup;
  readonly #log: Log;
  readonly #changed: (obstacle: string | null) => void;
  #waiting: Asked[] = [];
  #pairs = 0;
  #timer: NodeJS.Timeout | null = null;
  #asking = 0;
  #probe: NodeJS.Timeout | null = null;

  constructor(lookup: SuppressionLookup, log: Log, changed: (obstacle: string | null) => void) {
    this.#lookup = lookup;
    this.#log = log;
    this.#changed = changed;
  }

  /** Whether the last question was answered. */
  get available(): boolean {
    return this.#probe === null;
  }

  /** Which addresses of the account are suppressed. Rejects with SuppressionUnknown. */
  check(account: string, addresses: readonly string[]): Promise<readonly boolean[]> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ pairs: addresses.map((address) => ({ account, address })), resolve, reject });
      this.#pairs += addresses.length;
      if (this.#pairs >= MOST_PAIRS) this.#ask();
      else if (this.#asking === 0) this.#timer ??= setTimeout(() => this.#ask(), GATHER_MS);
    });
  }

  stop(): void {
    if (this.#probe) clearInterval(this.#probe);
  }

  #ask(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    const asked = this.#waiting;
    this.#waiting = [];
    this.#pairs = 0;
    this.#asking++;
    this.#lookUp(asked.flatMap(({ pairs }) => pairs))
      .then(
        (answers) => this.#answer(asked, answers),
        (error: unknown) => this.#fail(asked, error),
      )
      .finally(() => {
        this.#asking--;
        if (this.#asking === 0 && this.#waiting.length > 0)
          this.#timer ??= setTimeout(() => this.#ask(), GATHER_MS);
      });
  }

  /** The answer, or a rejection: a question without an end would hold its recipients for ever, and a cut answer let them pass. */
  async #lookUp(pairs: readonly Question[]): Promise<readonly boolean[]> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${ANSWER_MS} ms`)), ANSWER_MS);
    });
    try {
      const answers = await Promise.race([this.#lookup(pairs), late]);
      if (answers.length !== pairs.length)
        throw new Error(`${answers.length} answers to ${pairs.length} questions`);
      return answers;
    } finally {
      clearTimeout(timer);
    }
  }

  #answer(asked: readonly Asked[], answers: readonly boolean[]): void {
    let at = 0;
    for (const { pairs, resolve } of asked) {
      resolve(answers.slice(at, at + pairs.length));
      at += pairs.length;
    }
    if (this.#probe) clearInterval(this.#probe);
    if (this.#probe) this.#changed(null);
    this.#probe = null;
  }

  #fail(asked: readonly Asked[], cause: unknown): void {
    const error = new SuppressionUnknown('suppression cannot be asked', { cause });
    for (const { reject } of asked) reject(error);
    if (this.#probe) return;
    this.#log.warn({ err: cause }, 'suppression cannot be asked: nothing is sent until it can');
    this.#changed(`cannot be asked: ${(cause as Error).message}`);
    // Any pair will do: what matters is that there is an answer.
    this.#probe = setInterval(() => void this.check('-', ['probe@invalid']).catch(() => {}), PROBE_MS);
  }
}
