// What the warm-up of an address leaves today at a provider, as far as egress has said in its answers. It only saves asking in vain
// and puts addresses in order: the limit itself is egress's.
import type { WarmupDay } from '../bus/connect.ts';

/** What is known of an (address, provider). */
export type Room =
  /** No limit by warm-up. */
  | { readonly kind: 'Warmed' }
  | {
      readonly kind: 'Young';
      readonly room: number;
      readonly allowance: number;
      readonly endsAt: number;
      /** Nothing more today, because of how the provider took it. */
      readonly suspended: boolean;
    };

const MOST_KEPT = 20_000;
/** What is known is asked for again after so long at the latest: the policy may have changed, or another holder gave something back. */
const ASK_AGAIN_MS = 300_000;

export class Rooms {
  readonly #known = new Map<string, { readonly room: Room; readonly until: number }>();
  readonly #now: () => number;

  /** @param now ms since the epoch */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Null: nothing is known yet; ask. */
  of(address: string, provider: string): Room | null {
    const known = this.#known.get(keyOf(address, provider));
    return known && known.until > this.#now() ? known.room : null;
  }

  /** Egress has connected; `day` is null when there is no limit by warm-up. */
  granted(address: string, provider: string, day: WarmupDay | null): void {
    this.#keep(address, provider, day ? this.#young(day, day.room, false) : { kind: 'Warmed' });
  }

  /** Egress has refused: the day's allowance is used up, or the day was ended. */
  refused(address: string, provider: string, suspended: boolean, day: WarmupDay): void {
    this.#keep(address, provider, this.#young(day, 0, suspended));
  }

  /** The pool has changed: nothing is known any more. */
  clear(): void {
    this.#known.clear();
  }

  #young({ allowance, endsInSeconds }: WarmupDay, room: number, suspended: boolean): Room {
    return { kind: 'Young', room, allowance, endsAt: this.#now() + endsInSeconds * 1000, suspended };
  }

  #keep(address: string, provider: string, room: Room): void {
    if (this.#known.size >= MOST_KEPT) this.#known.clear();
    const again = this.#now() + ASK_AGAIN_MS;
    const until = room.kind === 'Young' ? Math.min(again, room.endsAt) : again;
    this.#known.set(keyOf(address, provider), { room, until });
  }
}

const keyOf = (address: string, provider: string): string => `${address} ${provider}`;
