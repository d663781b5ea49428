// The memory of finished hop ids, by the stretch of time they finished in (see record.ts), and its forgetting.
import { MEMORY_MS, stretchOf } from './record.ts';
import type { Store } from './store.ts';

const STEP = 1000;

export class FinishedMemory {
  /** The stretches that hold ids, or may. */
  readonly stretches = new Set<string>();
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
    let next: string | null = '0';
    while (next !== null) {
      const stretch = firstStretch(store, next);
      if (stretch !== null) this.stretches.add(stretch);
      // `~` comes after every hop id of the stretch.
      next = stretch === null ? null : `${stretch}~`;
    }
  }

  /** Keys of the next step of forgetting: of stretches that ended more than 24 h before `now`. */
  expired(now: number): readonly string[] {
    const firstKept = stretchOf(now - MEMORY_MS);
    const keys: string[] = [];
    for (const key of this.#store.keys('finished', '0', firstKept)) {
      keys.push(key);
      if (keys.length >= STEP) return keys;
    }
    for (const stretch of this.stretches)
      if (stretch < firstKept && keys.length === 0) this.stretches.delete(stretch);
    return keys;
  }

  isFullStep(keys: readonly string[]): boolean {
    return keys.length >= STEP;
  }
}

function firstStretch(store: Store, start: string): string | null {
  for (const key of store.keys('finished', start)) return key.slice(0, stretchOf(0).length);
  return null;
}
