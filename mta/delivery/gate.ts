// What holds redelivered mail of a shard back until its former owner is fenced. Mail that nobody had before passes at once.
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
  readonly #former: string | null;
  readonly #end = new AbortController();
  /** Settles with the fence; resolved when there is nothing to fence. Never rejects. */
  readonly settled: Promise<void>;
  /** The epoch we hold the shard under, which may rise while the fence is still asked for. */
  epoch: number;
  #state: Passage = 'free';

  constructor({ shard, epoch, fence: former }: OwnedShard, fence: Fence, failed: (error: unknown) => void) {
    this.epoch = epoch;
    this.#former = former;
    this.settled = former === null ? Promise.resolve() : this.#fence(shard, former, fence, failed);
  }

  async #fence(shard: number, former: string, fence: Fence, failed: (error: unknown) => void): Promise<void> {
    this.#state = 'held';
    const { signal } = this.#end;
    while (this.#state === 'held' && !signal.aborted) {
      try {
        const { unconfirmed } = await fence(shard, () => this.epoch, former, signal);
        if (!signal.aborted) this.#state = unconfirmed.length > 0 ? 'unconfirmed' : 'free';
      } catch (error) {
        // Nothing is known, so nothing redelivered passes.
        failed(error);
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  /** Whether it also stands for this hold: the fence that is still owed does not end with the epoch. */
  fits({ epoch, fence }: OwnedShard): boolean {
    return (this.epoch === epoch || this.#state === 'held') && (fence === null || fence === this.#former);
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
