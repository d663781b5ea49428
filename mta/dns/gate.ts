// At most `width` tasks at a time and at most `waiting` that wait; one more is refused at once instead of piling up.
export class Gate {
  readonly #width: number;
  readonly #waiting: number;
  readonly #queue: (() => void)[] = [];
  #inside = 0;

  constructor(width: number, waiting: number) {
    this.#width = width;
    this.#waiting = waiting;
  }

  /** Runs `task` when there is room; null: too many are waiting already. */
  async run<T>(task: () => Promise<T>): Promise<T | null> {
    if (this.#inside >= this.#width) {
      if (this.#queue.length >= this.#waiting) return null;
      await new Promise<void>((resolve) => this.#queue.push(resolve));
    } else this.#inside++;
    try {
      return await task();
    } finally {
      const next = this.#queue.shift();
      // The place is handed on without being free in between.
      if (next) next();
      else this.#inside--;
    }
  }
}
