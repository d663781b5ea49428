// The memory of shards: a hop id that any owner has acknowledged is not sent again when it is published again, by whoever may: a
// client that repeats, an ingress that got no answer, a giver that comes back (docs/hand-overs.md). The pod's volume remembers what this
// pod acknowledged; this is what its predecessors did.
import type { Log } from '../../../process/log.ts';
import type { HopId } from '../../message/parcel.ts';
import { pause } from '../pause.ts';
import { packId } from './chunk.ts';
import type { IdSet } from './id-set.ts';
import { Journal, type WriteChunk } from './journal.ts';

/** How much of what was acknowledged a crash may forget for the next owner. */
const WRITE_MS = 2000;
const RETRY_MS = 1000;
/** For how long an id is known at least, once it was acknowledged. */
export const REMEMBERED_MS = 24 * 3600_000;

export interface MemoryParts {
  readonly write: WriteChunk;
  /** Everything in the shard's memory up to now; rejects when it cannot be read to its end. */
  readonly read: (shard: number) => Promise<IdSet>;
  /** Monotonic ms. */
  readonly monotonic: () => number;
  readonly log: Log;
  /** Why nothing more should be acknowledged, or a shard is not pulled; or null. */
  readonly obstacle: (why: string | null) => void;
}

/** What intake and acknowledger need of it. */
export interface Remembered {
  /** The parcel has left the shard's stream: its acknowledgement is confirmed. */
  remember(shard: number, hopId: HopId): void;
  knows(shard: number, hopId: HopId): boolean;
  /** False: so much is not durable yet that nothing more should be pulled. */
  readonly hasRoom: boolean;
}

export class ShardMemory implements Remembered {
  readonly #parts: MemoryParts;
  readonly #journal: Journal;
  /** Shards that are not pulled because their memory cannot be read, and why. */
  readonly #unreadable = new Map<number, string>();
  readonly #inherited = new Map<number, { readonly ids: IdSet; readonly until: number }>();
  readonly #timer: NodeJS.Timeout;

  constructor(parts: MemoryParts) {
    this.#parts = parts;
    this.#journal = new Journal(parts.write);
    this.#timer = setInterval(() => this.#upkeep(), WRITE_MS).unref();
  }

  remember(shard: number, hopId: HopId): void {
    this.#journal.add(shard, hopId);
  }

  knows(shard: number, hopId: HopId): boolean {
    const inherited = this.#inherited.get(shard);
    return inherited !== undefined && inherited.ids.size > 0 && inherited.ids.has(packId(hopId));
  }

  get hasRoom(): boolean {
    return !this.#journal.isFull;
  }

  /** Reads what the owners before wrote, however long that takes. False: `signal` aborted before. */
  async load(shard: number, signal: AbortSignal): Promise<boolean> {
    const { read, monotonic, log } = this.#parts;
    while (!signal.aborted) {
      try {
        const ids = await read(shard);
        this.#unreadable.delete(shard);
        if (signal.aborted) return false;
        this.#inherited.set(shard, { ids, until: monotonic() + REMEMBERED_MS });
        return true;
      } catch (error) {
        log.warn({ shard, err: error }, 'the memory of a shard cannot be read; nothing of it is pulled yet');
        this.#unreadable.set(shard, (error as Error).message);
        await pause(RETRY_MS, signal);
      }
    }
    this.#unreadable.delete(shard);
    return false;
  }

  /** The shard has another owner, who remembers. */
  forget(shard: number): void {
    this.#inherited.delete(shard);
  }

  /** Resolves when everything acknowledged of the shard is durable for its next owner; rejects when that cannot be said now. */
  flush(shard: number): Promise<void> {
    return this.#journal.flush(shard);
  }

  /** Writes what waits, for at most `mostMs`. */
  async stop(mostMs: number): Promise<void> {
    clearInterval(this.#timer);
    const done = new AbortController();
    const all = Promise.allSettled(this.#journal.shards.map((shard) => this.flush(shard)));
    await Promise.race([all, pause(mostMs, done.signal)]);
    done.abort();
  }

  #upkeep(): void {
    const { log, monotonic } = this.#parts;
    for (const [shard, { until }] of this.#inherited) if (monotonic() >= until) this.#inherited.delete(shard);
    this.#parts.obstacle(this.#inTheWay());
    for (const shard of this.#journal.shards)
      this.flush(shard).catch((error: unknown) =>
        log.warn({ shard, err: error }, 'the memory of a shard cannot be written; it is tried again'),
      );
  }
  #inTheWay(): string | null {
    const { waiting } = this.#journal;
    if (!this.hasRoom)
      return `${waiting} acknowledged ids cannot be written for the next owner of their shards`;
    const [unreadable] = this.#unreadable;
    return unreadable ? `that of shard ${unreadable[0]} cannot be read: ${unreadable[1]}` : null;
  }
}
