// Acknowledging to JetStream, with confirmation, until it is confirmed. What asks for it has made the parcel's copy or its
// end durable, or (fast path) does so here when the confirmation does not come within a second: the next delivery
// of the same hop id is then known to the spool and only acknowledged again.
import { failpoint } from '../../process/failpoint.ts';
import type { Log } from '../../process/log.ts';
import type { HopId } from '../message/parcel.ts';
import type { Spool } from '../spool/port.ts';
import type { Hand, Held } from './hand.ts';
import type { Remembered } from './memory/memory.ts';
import type { Clock } from './ports.ts';

const CONFIRM_MS = 1000;
const RETRY_MS = 2000;

export class Acknowledger {
  readonly #hand: Hand;
  readonly #spool: Spool;
  readonly #memory: Pick<Remembered, 'remember'>;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #released: () => void;
  #stopped = false;

  constructor(
    hand: Hand,
    spool: Spool,
    memory: Pick<Remembered, 'remember'>,
    clock: Clock,
    log: Log,
    released: () => void,
  ) {
    this.#hand = hand;
    this.#spool = spool;
    this.#memory = memory;
    this.#clock = clock;
    this.#log = log;
    this.#released = released;
  }

  /** The copy of `held` is durable in the spool: acknowledges in the background until confirmed. */
  afterSpooling(held: Held): void {
    this.#hand.release(held);
    void this.#untilConfirmed(held);
  }

  /**
   * Every recipient of `held` has ended without ever being in the spool. Resolves when that is on record: confirmed by
   * JetStream within a second, or else durable in the spool. Rejects when neither; ask again.
   */
  async finished(held: Held): Promise<void> {
    const finished = { kind: 'finished', hopId: held.hopId, at: this.#clock.now() } as const;
    if (await this.#confirm(held)) {
      failpoint('delivery.confirmed');
      this.#spool.note([finished]);
      this.#memory.remember(held.shard, held.hopId);
      this.#forget(held);
      return;
    }
    failpoint('delivery.unconfirmed');
    await this.#spool.commit([finished]);
    failpoint('delivery.finished');
    this.#hand.release(held);
    void this.#untilConfirmed(held);
  }

  /** Ends the retries: what is unacknowledged will be redelivered to the shard's next owner, who knows it from the spool. */
  stop(): void {
    this.#stopped = true;
  }

  async #untilConfirmed(held: Held): Promise<void> {
    while (!this.#stopped) {
      if (await this.#confirm(held)) {
        for (const hopId of held.carries) if (this.#isSafe(hopId)) this.#memory.remember(held.shard, hopId);
        break;
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS).unref());
    }
    this.#forget(held);
  }

  /**
   * Its copy or its end is here. Of a bundle's parcel that is in hand by another publish, or on its way to the disk in another bundle, that one
   * is what stands in the stream: the next owner of the shard must not take it for a repeat.
   */
  #isSafe(hopId: HopId): boolean {
    return this.#spool.parcel(hopId) !== null || this.#spool.knows(hopId) === 'finished';
  }

  /**
   * Puts `held` out of the hand without a record: it is still in its stream, which delivers it again. `afterMs` null: it is not
   * ours to give back any more. False: its stream is gone, so it stays in hand, where alone it is.
   */
  giveBack(held: Held, afterMs: number | null): boolean {
    const messages = [held.message, ...held.twins];
    if (afterMs !== null) {
      if (messages.every(({ isGone }) => isGone)) return false;
      for (const message of messages) message.nak(afterMs);
    }
    this.#forget(held);
    return true;
  }

  async #confirm(held: Held): Promise<boolean> {
    try {
      const timeout = CONFIRM_MS;
      for (const twin of held.twins) if (!(await twin.ackAck({ timeout }))) return false;
      return await held.message.ackAck({ timeout });
    } catch (error) {
      this.#log.debug({ hopId: held.hopId, err: error }, 'acknowledgement not confirmed');
      return false;
    }
  }

  #forget(held: Held): void {
    if (this.#hand.remove(held)) this.#released();
  }
}
