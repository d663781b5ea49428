// How much may be in hand at once, shared between the classes by weight. A pull asks for slots before it asks JetStream for
// messages; when slots are short, the class with the least served share goes first (stride scheduling), so that transfers and
// bulk fill what transactional leaves, and never stand in its way.
import type { Weighted } from './scheduler.ts';

interface Waiting {
  readonly priorityClass: string;
  readonly want: number;
  readonly grant: (slots: number) => void;
}

export class Budget {
  readonly #most: number;
  readonly #full: () => boolean;
  #used = 0;
  #waiting: Waiting[] = [];
  readonly #pass = new Map<string, number>();
  #weights: ReadonlyMap<string, number> = new Map();

  /** @param full whether something else (bytes in memory, the spool) forbids more for now. */
  constructor(most: number, full: () => boolean) {
    this.#most = most;
    this.#full = full;
  }

  setWeights(classes: readonly Weighted[]): void {
    this.#weights = new Map(classes.map(({ name, weight }) => [name, weight]));
  }

  get used(): number {
    return this.#used;
  }

  /** Resolves with 1 to `want` slots, or with 0 once `signal` is aborted. */
  acquire(priorityClass: string, want: number, signal: AbortSignal): Promise<number> {
    return new Promise((resolve) => {
      const waiting: Waiting = {
        priorityClass,
        want,
        grant: (slots) => {
          signal.removeEventListener('abort', cancel);
          resolve(slots);
        },
      };
      const cancel = () => {
        this.#waiting = this.#waiting.filter((one) => one !== waiting);
        resolve(0);
      };
      if (signal.aborted) return resolve(0);
      signal.addEventListener('abort', cancel, { once: true });
      if (!this.#waiting.some((one) => one.priorityClass === priorityClass)) this.#join(priorityClass);
      this.#waiting.push(waiting);
      this.poll();
    });
  }

  release(slots: number): void {
    this.#used -= slots;
    this.poll();
  }

  /** Grants what can be granted; to be called when what `full` says may have changed. */
  poll(): void {
    while (this.#waiting.length && this.#used < this.#most && !this.#full()) {
      const next = this.#waiting.reduce((best, one) => (this.#passOf(one) < this.#passOf(best) ? one : best));
      const slots = Math.min(next.want, this.#most - this.#used);
      const weight = this.#weights.get(next.priorityClass) ?? 1;
      this.#pass.set(next.priorityClass, this.#passOf(next) + slots / weight);
      this.#used += slots;
      this.#waiting = this.#waiting.filter((one) => one !== next);
      next.grant(slots);
    }
  }

  #passOf = ({ priorityClass }: { readonly priorityClass: string }): number =>
    this.#pass.get(priorityClass) ?? 0;

  /** A class that was idle starts level with those that wait: idleness earns no credit. */
  #join(priorityClass: string): void {
    if (this.#waiting.length === 0) return;
    const least = Math.min(...this.#waiting.map(this.#passOf));
    this.#pass.set(priorityClass, Math.max(this.#passOf({ priorityClass }), least));
  }
}
