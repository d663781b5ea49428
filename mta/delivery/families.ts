// Hosts that have no address in one family: an MX with A records only cannot be reached from an IPv6 source, and a pool of both kinds
// should not ask for that at every attempt. Learnt from egress's answers; it may have changed after a while.
import { isIP } from 'node:net';

const KEEP_MS = 300_000;
const MOST_KEPT = 10_000;

export class Families {
  readonly #lacking = new Map<string, number>();
  readonly #monotonic: () => number;

  constructor(monotonic: () => number) {
    this.#monotonic = monotonic;
  }

  /** Egress found no address of `host` in the family of `source`. */
  lacks(host: string, source: string): void {
    if (this.#lacking.size >= MOST_KEPT) this.#lacking.clear();
    this.#lacking.set(keyOf(host, source), this.#monotonic() + KEEP_MS);
  }

  /** Whether it is worth asking for `host` from `source`. */
  canReach(host: string, source: string): boolean {
    return (this.#lacking.get(keyOf(host, source)) ?? 0) <= this.#monotonic();
  }
}

const keyOf = (host: string, source: string): string => `${isIP(source)} ${host}`;
