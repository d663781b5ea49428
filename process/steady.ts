// The wall clock as delivery judges by it: due times, expiry, ages. A jump of the machine's clock must neither make a whole queue due at once, or
// expire it, nor put it off by the length of the jump. So between two readings the time goes on like the monotonic clock, and nears the
// machine's by at most a twentieth of what has passed: an hour is made good within twenty. It never goes back. More than a day off is no jump but a clock
// that had not been set before, or not rightly: the machine's is taken at once.

/** Of the time that has passed. Far more than any oscillator is off. */
const NEARS_BY = 0.05;
const DAY_MS = 86_400_000;

export class SteadyClock {
  readonly monotonic: () => number;
  readonly #wall: () => number;
  #at: number;
  #now: number;

  constructor(wall: () => number, monotonic: () => number) {
    this.monotonic = monotonic;
    this.#wall = wall;
    this.#at = monotonic();
    this.#now = wall();
  }

  /** ms since the epoch. */
  readonly now = (): number => {
    const at = this.monotonic();
    const passed = Math.max(0, at - this.#at);
    this.#at = Math.max(at, this.#at);
    const expected = this.#now + passed;
    const off = this.#wall() - expected;
    const most = Math.abs(off) > DAY_MS ? Number.POSITIVE_INFINITY : passed * NEARS_BY;
    this.#now = expected + Math.min(most, Math.max(-most, off));
    return Math.floor(this.#now);
  };

  /** Goes on from where another process was, when that was later: what it wrote is due by its time. */
  notBefore(now: number): void {
    this.#now = Math.max(this.#now, now);
  }
}
