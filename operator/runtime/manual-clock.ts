// A clock that tests turn by hand.
import type { Clock } from './clock.ts';

interface Timer {
  readonly due: number;
  readonly callback: () => void;
}

export class ManualClock implements Clock {
  #elapsed = 0;
  readonly #start: number;
  readonly #timers = new Set<Timer>();

  constructor(start = new Date('2030-01-01T00:00:00.000Z')) {
    this.#start = start.getTime();
  }

  now(): Date {
    return new Date(this.#start + this.#elapsed);
  }

  monotonic(): number {
    return this.#elapsed;
  }

  after(ms: number, callback: () => void): () => void {
    const timer = { due: this.#elapsed + ms, callback };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  /** How long each pending timer still has to run, in ms, soonest first. */
  get pending(): readonly number[] {
    return [...this.#timers].map(({ due }) => due - this.#elapsed).sort((a, b) => a - b);
  }

  /** Lets `ms` pass, firing what falls due in order. */
  advance(ms: number): void {
    const end = this.#elapsed + ms;
    for (let next = this.#soonest(end); next; next = this.#soonest(end)) {
      this.#timers.delete(next);
      this.#elapsed = next.due;
      next.callback();
    }
    this.#elapsed = end;
  }

  #soonest(until: number): Timer | undefined {
    return [...this.#timers].filter(({ due }) => due <= until).sort((a, b) => a.due - b.due)[0];
  }
}
