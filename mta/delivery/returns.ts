// How long a message waits for the address it was deferred from, when that has no connection to give and others have. From another address a
// greylisted message is a new one to the host, so going by it at once would cost more time than waiting.
import { GRANT_SECONDS } from '../bus/connect.ts';
import type { HopId } from '../message/parcel.ts';
import type { Patience } from './patience.ts';
import type { Task, Verdict } from './ports.ts';
import type { Source } from './sources.ts';
import { waitToReturn } from './verdicts.ts';

/** By then every connection that was open at its beginning carries nothing more. */
const LONGEST_MS = GRANT_SECONDS * 1000;
/** Each of them asks anew now and then; the rest goes by other addresses as before. */
const MOST_WAITING = 1000;

export class Returns {
  readonly #since = new Map<HopId, number>();
  readonly #patience: Pick<Patience, 'fullFor'>;
  readonly #monotonic: () => number;

  /** @param patience what is known of addresses without room. @param monotonic in ms */
  constructor(patience: Pick<Patience, 'fullFor'>, monotonic: () => number) {
    this.#patience = patience;
    this.#monotonic = monotonic;
  }

  /**
   * What the message waits with for `source` before others are asked; null: it does not. Where no other of `sources` has room
   * either, the whole site waits, not this message.
   */
  waitFor(
    { hopId, provider }: Pick<Task, 'hopId' | 'provider'>,
    source: Pick<Source, 'address'>,
    sticky: string | null,
    sources: readonly Pick<Source, 'address'>[],
  ): Verdict | null {
    const fullFor = ({ address }: Pick<Source, 'address'>) => this.#patience.fullFor(address, provider);
    if (source.address !== sticky || sources.every((one) => one.address === sticky || fullFor(one) > 0))
      return null;
    const seconds = fullFor(source);
    return seconds > 0 && this.#waits(hopId, seconds) ? waitToReturn(seconds) : null;
  }

  #waits(hopId: HopId, seconds: number): boolean {
    const now = this.#monotonic();
    const since = this.#since.get(hopId);
    if (now + seconds * 1000 >= (since ?? now) + LONGEST_MS) return false;
    if (since !== undefined) return true;
    this.#forget(now);
    if (this.#since.size >= MOST_WAITING) return false;
    this.#since.set(hopId, now);
    return true;
  }

  /** The oldest come first. One that was over is kept as long again, so that it does not begin anew. */
  #forget(now: number): void {
    for (const [hopId, since] of this.#since) {
      if (since + 2 * LONGEST_MS > now) return;
      this.#since.delete(hopId);
    }
  }
}
