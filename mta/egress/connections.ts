// The connections that are open or being opened, and closing those of a pod or an address. A connection counts from its
// grant, before the first packet leaves, until both sockets are gone.
import type { PoolKey } from '../bus/names.ts';

export interface Owner {
  readonly pool: PoolKey;
  readonly uid: string;
  readonly address: string;
  readonly provider: string;
}

export interface Connection extends Owner {
  /** Aborted when it has to go; whoever works on it destroys its sockets then. */
  readonly signal: AbortSignal;
  abort(why: string): void;
  /** To be called once, when both sockets are gone. */
  ended(): void;
}

export class Connections {
  readonly #open = new Map<Connection, { abort: AbortController; gone: Promise<void> }>();

  /** `onEnd` is told once, whatever ended it. */
  open(owner: Owner, onEnd: () => void): Connection {
    const abort = new AbortController();
    const { promise: gone, resolve } = Promise.withResolvers<void>();
    const connection: Connection = {
      ...owner,
      signal: abort.signal,
      abort: (why) => abort.abort(new Error(why)),
      ended: () => {
        if (!this.#open.delete(connection)) return;
        onEnd();
        resolve();
      },
    };
    this.#open.set(connection, { abort, gone });
    return connection;
  }

  count(which: (owner: Owner) => boolean = () => true): number {
    return [...this.#open.keys()].filter(which).length;
  }

  /** Open ones of an address, by provider. */
  byProvider(address: string): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const one of this.#open.keys())
      if (one.address === address) counts[one.provider] = (counts[one.provider] ?? 0) + 1;
    return counts;
  }

  /** Closes those that match and resolves with their number when they are gone. */
  async close(which: (owner: Owner) => boolean, why: string): Promise<number> {
    const matching = [...this.#open].filter(([owner]) => which(owner));
    for (const [, { abort }] of matching) abort.abort(new Error(why));
    await Promise.all(matching.map(([, { gone }]) => gone));
    return matching.length;
  }

  /** Resolves when none that matches is left, or after `ms`. */
  async idle(which: (owner: Owner) => boolean, ms: number): Promise<void> {
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, ms);
    const gone = [...this.#open].filter(([owner]) => which(owner)).map(([, one]) => one.gone);
    await Promise.race([Promise.all(gone), late.promise]);
    clearTimeout(timer);
  }
}
