// How many attempts a site may have at once.
import { providerOf } from '../policy/provider.ts';
import type { Fleet } from './fleet.ts';
import type { Policy } from './ports.ts';

const MOST_PROVIDERS = 20_000;

export class Concurrency {
  readonly #fleet: Fleet;
  readonly #policy: () => Policy;
  /** The policy's limit by provider: looked up for every message, so kept until the policy changes. */
  readonly #connections = new Map<string, number>();

  constructor(fleet: Fleet, policy: () => Policy) {
    this.#fleet = fleet;
    this.#policy = policy;
  }

  policyChanged(): void {
    this.#connections.clear();
  }

  /** As many attempts at a site as its provider's limit allows from all addresses together; egress has the last word. */
  of(provider: string): number {
    let connections = this.#connections.get(provider);
    if (connections === undefined) {
      connections = providerOf(this.#policy().shaping, provider, []).limits.connections;
      if (this.#connections.size >= MOST_PROVIDERS) this.#connections.clear();
      this.#connections.set(provider, connections);
    }
    const addresses = this.#fleet.ipPool?.addresses.filter(({ weight }) => weight > 0).length ?? 1;
    return Math.max(1, connections * Math.max(1, addresses));
  }
}
