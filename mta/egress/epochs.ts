// What egress knows of who may still send: the highest epoch seen of each shard, and the pods that were fenced. Learnt
// from the assignments, from every CONNECT and from fences; it only ever rises.
import type { PoolKey } from '../bus/names.ts';
import { type Assignment, owedFences } from '../bus/snapshot.ts';

export interface StaleEpoch {
  readonly shard: number;
  readonly epoch: number;
  readonly known: number;
}

export class EpochBook {
  readonly #highest = new Map<string, number>();
  readonly #fenced = new Set<string>();

  /** The first of `epochs` that is older than what is known; null when none is. */
  stale(pool: PoolKey, epochs: ReadonlyMap<number, number>): StaleEpoch | null {
    for (const [shard, epoch] of epochs) {
      const known = this.#highest.get(`${pool}/${shard}`) ?? 0;
      if (epoch < known) return { shard, epoch, known };
    }
    return null;
  }

  learn(pool: PoolKey, epochs: Iterable<readonly [number, number]>): void {
    for (const [shard, epoch] of epochs) {
      const key = `${pool}/${shard}`;
      if (epoch > (this.#highest.get(key) ?? 0)) this.#highest.set(key, epoch);
    }
  }

  isFenced(uid: string): boolean {
    return this.#fenced.has(uid);
  }

  /** A pod UID never comes back, so a fence is for ever. */
  fence(uid: string): void {
    this.#fenced.add(uid);
  }

  /**
   * Takes in an assignment and returns the UIDs to fence by it: owners that went without stating "unacknowledged 0" and
   * are no members any more. So an egress pod that was not there when the new owner fenced still knows.
   */
  learnAssignment(pool: PoolKey, assignment: Assignment): readonly string[] {
    this.learn(
      pool,
      assignment.shards.map(({ shard, epoch }) => [shard, epoch] as const),
    );
    const members = new Set(assignment.members.map(({ uid }) => uid));
    const gone = assignment.shards
      .flatMap(owedFences)
      .filter((uid) => !members.has(uid) && !this.#fenced.has(uid));
    return [...new Set(gone)];
  }
}
