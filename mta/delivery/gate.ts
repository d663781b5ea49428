// What holds redelivered mail of a shard back until its former owners are fenced. Mail that nobody had before passes at once.
import type { FenceOutcome } from './fence.ts';
import type { OwnedShard } from './ownership.ts';

/** Keeps a former owner from sending; resolves when that is settled, or when `signal` aborts. */
export type Fence = (
  shard: number,
  epoch: () => number,
  formerUid: string,
  signal: AbortSignal,
) => Promise<FenceOutcome>;

/** `held`: it must wait; `unconfirmed`: it may go, and is counted as possibly repeated. */
export type Passage = 'free' | 'held' | 'unconfirmed';

const RETRY_MS = 5000;

export class Gate {
  readonly #formers: readonly string[];
  readonly #end = new AbortController();
  /** Settles with the fence; resolved when there is nothing to fence. Never rejects. */
  readonly settled: Promise<void>;
  /** The epoch we hold the shard under, which may rise while the fence is still asked for. */
  epoch: number;
  #state: Passage = 'free';

  constructor({ shard, epoch, fences }: OwnedShard, fence: Fence, failed: (error: unknown) => void) {
    this.epoch = epoch;
    this.#formers = fences;
    const ask = (uid: string) =>
      this.#fenced(() => fence(shard, () => this.epoch, uid, this.#end.signal), failed);
    this.settled = fences.length === 0 ? Promise.resolve() : this.#hold(fences.map(ask));
  }

  /** Nobody says which of them had a message: it waits for all. */
  async #hold(fenced: readonly Promise<boolean>[]): Promise<void> {
    this.#state = 'held';
    const confirmed = await Promise.all(fenced);
    if (!this.#end.signal.aborted) this.#state = confirmed.every(Boolean) ? 'free' : 'unconfirmed';
  }

  /** Whether it is certain that one of them can send nothing more; resolves when it is settled or the gate abandoned. */
  async #fenced(fence: () => Promise<FenceOutcome>, failed: (error: unknown) => void): Promise<boolean> {
    while (!this.#end.signal.aborted) {
      try {
        return (await fence()).unconfirmed.length === 0;
      } catch (error) {
        // Nothing is known, so nothing redelivered passes.
        failed(error);
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
    return false;
  }

  /** Whether it also stands for this hold: the fence that is still owed does not end with the epoch. */
  fits({ epoch, fences }: OwnedShard): boolean {
    const knowsAll = fences.every((uid) => this.#formers.includes(uid));
    return knowsAll && (this.epoch === epoch || this.#state === 'held');
  }

  /** How a message passes that was delivered `deliveries` times. */
  passage(deliveries: number): Passage {
    return deliveries > 1 ? this.#state : 'free';
  }

  /** The shard is not ours any more: its next owner fences. */
  abandon(): void {
    this.#end.abort();
  }
}
