// Open connections by who counts them: an MX host, and the provider whose hosts they are.

/** `mx1.bigmail.example` is one of `bigmail.example`'s. */
export const providerOf = (host: string): string => host.slice(host.indexOf('.') + 1);

export class Openings {
  readonly #open = new Map<string, number>();
  readonly #peaks = new Map<string, Map<string, number>>();

  /** Counts a connection of `source` to `host` until what it returns is called. */
  enter(host: string, source: string): () => void {
    for (const name of [host, providerOf(host)]) {
      const now = this.#change(name, source, 1);
      const peaks = this.#peaks.get(name) ?? new Map<string, number>();
      this.#peaks.set(name, peaks.set(source, Math.max(now, peaks.get(source) ?? 0)));
    }
    return () => {
      for (const name of [host, providerOf(host)]) this.#change(name, source, -1);
    };
  }

  #change(name: string, source: string, by: number): number {
    const key = `${name} ${source}`;
    const now = (this.#open.get(key) ?? 0) + by;
    if (now > 0) this.#open.set(key, now);
    else this.#open.delete(key);
    return now;
  }

  /** Most that were open at one time since the last `clear`, by host or provider, and source. */
  get peaks(): Record<string, Record<string, number>> {
    return Object.fromEntries(
      [...this.#peaks].map(([name, bySource]) => [name, Object.fromEntries(bySource)]),
    );
  }

  clear(): void {
    this.#peaks.clear();
  }
}
