// How many of something happened a second, over the last whole seconds. The clock is passed in.

/** Seconds looked back over: short enough to follow a burst, long enough to be no single moment. */
const WINDOW = 10;

export class Rate {
  readonly #counts = new Array<number>(WINDOW + 1).fill(0);
  #second = 0;

  /** @param now monotonic ms */
  count(by: number, now: number): void {
    this.#turn(now);
    const slot = this.#second % this.#counts.length;
    this.#counts[slot] = (this.#counts[slot] ?? 0) + by;
  }

  /** Of the last ten whole seconds; the one that is not over counts in none. */
  perSecond(now: number): number {
    this.#turn(now);
    const current = this.#second % this.#counts.length;
    return this.#counts.reduce((sum, count, slot) => (slot === current ? sum : sum + count), 0) / WINDOW;
  }

  #turn(now: number): void {
    const second = Math.floor(now / 1000);
    const passed = Math.min(second - this.#second, this.#counts.length);
    for (let n = 0; n < passed; n++) this.#counts[(second - n) % this.#counts.length] = 0;
    this.#second = Math.max(second, this.#second);
  }
}
