// Whether the spool takes parcels. Its own state says nothing of a parcel for which alone there was no room.
import type { Spool } from '../spool/port.ts';
import type { Clock } from './ports.ts';

/** How long nothing is pulled after the spool has refused a parcel. */
const REFUSED_MS = 5000;

export class SpoolHealth {
  readonly #spool: Pick<Spool, 'stats'>;
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #obstacle: (why: string | null) => void;
  #refused: { readonly why: string; readonly until: number } | null = null;
  #failure: string | null = null;

  /** @param obstacle is told at each look why the spool takes nothing, or null */
  constructor(
    spool: Pick<Spool, 'stats'>,
    clock: Pick<Clock, 'monotonic'>,
    obstacle: (why: string | null) => void,
  ) {
    this.#spool = spool;
    this.#clock = clock;
    this.#obstacle = obstacle;
  }

  /** At the last look: why the spool takes nothing, or null. */
  get failure(): string | null {
    return this.#failure;
  }

  look(): void {
    if (this.#refused && this.#clock.monotonic() >= this.#refused.until) this.#refused = null;
    this.#failure = this.#spool.stats().failure ?? this.#refused?.why ?? null;
    this.#obstacle(this.#failure);
  }

  /** The spool has not taken a parcel. */
  refused(error: Error): void {
    this.#refused = { why: error.message, until: this.#clock.monotonic() + REFUSED_MS };
    this.look();
  }
}
