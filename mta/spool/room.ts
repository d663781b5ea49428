// How much can still be written, and that parcels leave the reserve alone: results must have a place when intake is full.
import { SpoolWriteError } from './errors.ts';
import type { Store } from './store.ts';

const FRESH_MS = 500;

export class Room {
  readonly #store: Store;
  readonly #reserveBytes: number;
  #free = 0;
  #measuredAt = 0;

  constructor(store: Store, reserveBytes: number) {
    this.#store = store;
    this.#reserveBytes = reserveBytes;
    this.refresh();
  }

  /** What parcels may still take: free without the reserve. */
  get freeBytes(): number {
    return Math.max(0, this.#free - this.#reserveBytes);
  }

  /** Why no parcel is taken, or null. */
  shortage(): string | null {
    if (this.freeBytes > 0) return null;
    this.refresh();
    return this.freeBytes > 0 ? null : this.#describe();
  }

  /** Sets `bytes` aside for parcels. @throws SpoolWriteError when they would go into the reserve. */
  take(bytes: number): void {
    if (this.freeBytes < bytes) this.refresh();
    if (this.freeBytes < bytes) throw new SpoolWriteError(this.#store.path, this.#describe());
    this.#free -= bytes;
  }

  refresh(): void {
    try {
      this.#free = this.#store.freeBytes();
    } catch {
      // A volume that cannot even be asked has no room.
      this.#free = 0;
    }
    this.#measuredAt = performance.now();
  }

  /** Measures anew unless it was measured just now. */
  refreshSoon(): void {
    if (performance.now() - this.#measuredAt > FRESH_MS) this.refresh();
  }

  #describe(): string {
    return `the volume is full: ${this.#free} bytes are free, ${this.#reserveBytes} are kept for results`;
  }
}
