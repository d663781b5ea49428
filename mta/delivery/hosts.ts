// What is known of MX hosts from the last attempts: who could not be reached, and whose TLS is broken. Forgotten with the process.
import type { MxHost } from './ports.ts';

/** How long a host that failed STARTTLS is greeted without it, where the policy allows. */
const BROKEN_TLS_MS = 3_600_000;
/** How long a host that could not be reached is tried last. */
const UNREACHABLE_MS = 300_000;
const MOST_HOSTS = 5;
const MOST_KNOWN = 10_000;

export class Hosts {
  readonly #brokenTls = new Map<string, number>();
  readonly #unreachable = new Map<string, number>();
  readonly #monotonic: () => number;
  readonly #random: () => number;

  /** @param monotonic in ms. @param random gives numbers in [0, 1). */
  constructor(monotonic: () => number, random: () => number) {
    this.#monotonic = monotonic;
    this.#random = random;
  }

  /** Hosts by preference, equal ones in random order, those that just failed last; five at most. */
  inOrder(hosts: readonly MxHost[]): readonly MxHost[] {
    return hosts
      .map((mx) => ({ mx, rank: this.#random(), failing: this.#holds(this.#unreachable, mx.host) }))
      .sort((a, b) => +a.failing - +b.failing || a.mx.preference - b.mx.preference || a.rank - b.rank)
      .slice(0, MOST_HOSTS)
      .map(({ mx }) => mx);
  }

  /** It was not reached, or refused to talk. */
  avoid(host: string): void {
    this.#note(this.#unreachable, host, UNREACHABLE_MS);
  }

  reached(host: string): void {
    this.#unreachable.delete(host);
  }

  tlsIsBroken(host: string): void {
    this.#note(this.#brokenTls, host, BROKEN_TLS_MS);
  }

  hasBrokenTls(host: string): boolean {
    return this.#holds(this.#brokenTls, host);
  }

  #holds(until: ReadonlyMap<string, number>, host: string): boolean {
    return (until.get(host) ?? 0) > this.#monotonic();
  }

  #note(until: Map<string, number>, host: string, ms: number): void {
    if (until.size > MOST_KNOWN) until.clear();
    until.set(host, this.#monotonic() + ms);
  }
}
