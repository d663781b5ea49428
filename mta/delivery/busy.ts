// The recipients with a task queued or under way, so that none is ever attempted twice at once.
import type { HopId } from '../message/parcel.ts';

export class Busy {
  readonly #indexes = new Map<HopId, Set<number>>();

  has(hopId: HopId, index: number): boolean {
    return this.#indexes.get(hopId)?.has(index) ?? false;
  }

  hasAny(hopId: HopId): boolean {
    return this.#indexes.has(hopId);
  }

  add(hopId: HopId, indexes: readonly number[]): void {
    const set = this.#indexes.get(hopId) ?? new Set();
    for (const index of indexes) set.add(index);
    this.#indexes.set(hopId, set);
  }

  /** Lets go of them after `ms`. */
  rest(hopId: HopId, indexes: readonly number[], ms: number): void {
    setTimeout(() => this.delete(hopId, indexes), ms).unref();
  }

  delete(hopId: HopId, indexes: readonly number[]): void {
    const set = this.#indexes.get(hopId);
    if (!set) return;
    for (const index of indexes) set.delete(index);
    if (set.size === 0) this.#indexes.delete(hopId);
  }
}
