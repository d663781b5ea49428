// What egress has said of when to ask again: each refusal costs a handshake, so nobody asks before.

/** How long epochs that egress has refused are not used again. */
const STALE_MS = 3000;
/** Why nobody asks meanwhile. */
export const STALE = 'egress knows a newer owner of a shard than this pod';
const MOST_KNOWN = 10_000;

export class Patience {
  /** Until when an address is known to have no room at a provider. */
  readonly #full = new Map<string, number>();
  /** The epochs that egress has refused, and until when it is not asked with them again. */
  #stale: { readonly epochs: string; readonly until: number } | null = null;
  readonly #monotonic: () => number;
  readonly #onStale: (stale: boolean) => void;

  /** @param monotonic in ms. @param onStale told when egress refuses our epochs, and, with false, when it grants again. */
  constructor(monotonic: () => number, onStale: (stale: boolean) => void) {
    this.#monotonic = monotonic;
    this.#onStale = onStale;
  }

  /** The address has no room at the provider for so long; returns it. */
  isFull(address: string, provider: string, seconds: number): number {
    if (this.#full.size > MOST_KNOWN) this.#full.clear();
    this.#full.set(`${address} ${provider}`, this.#monotonic() + seconds * 1000);
    return seconds;
  }

  /** For how many seconds the address is not asked for the provider; 0: it may be. */
  fullFor(address: string, provider: string): number {
    return this.#left(this.#full.get(`${address} ${provider}`) ?? 0);
  }

  /** With these epochs egress is not asked again for a while, by nobody. */
  isStale(epochs: string): void {
    this.#stale = { epochs, until: this.#monotonic() + STALE_MS };
    this.#onStale(true);
  }

  /** For how many seconds egress is not asked, because it has refused the epochs that we still hold. */
  staleFor(epochs: string): number {
    return this.#stale?.epochs === epochs ? this.#left(this.#stale.until) : 0;
  }

  granted(): void {
    if (!this.#stale) return;
    this.#stale = null;
    this.#onStale(false);
  }

  #left(until: number): number {
    return Math.max(0, until - this.#monotonic()) / 1000;
  }
}
