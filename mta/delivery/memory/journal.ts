// The writing side: ids that were acknowledged wait here until a chunk with them is confirmed by JetStream.
import { failpoint } from '../../../process/failpoint.ts';
import type { HopId } from '../../message/parcel.ts';
import { encodeChunk, packId } from './chunk.ts';

/** Makes a chunk durable under the shard's subject; rejects when that is unknown. A chunk that is written twice says the same. */
export type WriteChunk = (shard: number, chunk: Buffer) => Promise<void>;

/** 64 KiB, and a megabyte in all: what a pod may have acknowledged while the stream cannot be written. */
const MOST_IN_CHUNK = 4096;
const MOST_WAITING = 65_536;

export class Journal {
  readonly #write: WriteChunk;
  readonly #waiting = new Map<number, Buffer[]>();
  readonly #running = new Map<number, Promise<void>>();
  #count = 0;

  constructor(write: WriteChunk) {
    this.#write = write;
  }

  /** Ids that are not durable yet. */
  get waiting(): number {
    return this.#count;
  }

  /** So much waits that nothing more should be acknowledged. */
  get isFull(): boolean {
    return this.#count >= MOST_WAITING;
  }

  add(shard: number, hopId: HopId): void {
    const ids = this.#waiting.get(shard);
    if (ids) ids.push(packId(hopId));
    else this.#waiting.set(shard, [packId(hopId)]);
    this.#count++;
  }

  /** Resolves when everything added for the shard before is durable; rejects when that cannot be said, and it still waits then. */
  async flush(shard: number): Promise<void> {
    for (;;) {
      const running = this.#running.get(shard);
      if (running) await running;
      else if (this.#waiting.has(shard)) await this.#start(shard);
      else return;
    }
  }

  /** The shards that have something waiting. */
  get shards(): readonly number[] {
    return [...this.#waiting.keys()];
  }

  #start(shard: number): Promise<void> {
    const run = this.#writeNext(shard).finally(() => this.#running.delete(shard));
    this.#running.set(shard, run);
    return run;
  }

  /** One chunk; its ids leave only when it is confirmed. */
  async #writeNext(shard: number): Promise<void> {
    const ids = this.#waiting.get(shard) ?? [];
    const chunk = ids.slice(0, MOST_IN_CHUNK);
    failpoint('delivery.memory-before');
    await this.#write(shard, encodeChunk(chunk));
    failpoint('delivery.memory-written');
    ids.splice(0, chunk.length);
    this.#count -= chunk.length;
    if (ids.length === 0) this.#waiting.delete(shard);
  }
}
