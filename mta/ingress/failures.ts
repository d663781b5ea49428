// Failed authentications per client address: twenty in ten minutes, then none is looked at until the oldest are forgotten.
export const MOST_FAILURES = 20;
export const FAILURE_WINDOW_MS = 600_000;
const MOST_ADDRESSES = 100_000;

export class Failures {
  readonly #now: () => number;
  readonly #byAddress = new Map<string, { since: number; count: number }>();

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  blocked(address: string): boolean {
    const seen = this.#byAddress.get(address);
    if (!seen) return false;
    if (this.#now() - seen.since >= FAILURE_WINDOW_MS) {
      this.#byAddress.delete(address);
      return false;
    }
    return seen.count >= MOST_FAILURES;
  }

  note(address: string): void {
    if (this.blocked(address)) return;
    const seen = this.#byAddress.get(address);
    if (seen) seen.count++;
    else this.#begin(address);
  }

  #begin(address: string): void {
    if (this.#byAddress.size >= MOST_ADDRESSES) {
      const oldest = this.#byAddress.keys().next().value;
      if (oldest !== undefined) this.#byAddress.delete(oldest);
    }
    this.#byAddress.set(address, { since: this.#now(), count: 1 });
  }
}
