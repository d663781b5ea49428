// Acknowledging to JetStream, with confirmation, until it is confirmed. What asks for it has made the parcel's copy or its
// end durable, or (fast path) does so here when the confirmation does not come within a second: the next delivery
// of the same hop id is then known to the spool and only acknowledged again.
import { failpoint } from '../../process/failpoint.ts';
import type { Log } from '../../process/log.ts';
import type { HopId } from '../message/parcel.ts';
import type { Pulled, Spool } from '../spool/port.ts';
import type { Doubts } from './doubt.ts';
import type { Hand, Held } from './hand.ts';
import type { Remembered } from './memory/memory.ts';
import type { Clock } from './ports.ts';

const CONFIRM_MS = 1000;
const RETRY_MS = 2000;

export class Acknowledger {
  readonly #hand: Hand;
  readonly #spool: Spool;
  readonly #memory: Pick<Remembered, 'remember'>;
  readonly #doubts: Pick<Doubts, 'add' | 'has'>;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #released: () => void;
  #stopped = false;
  /** Parcels whose copies are marked in the spool, and not in doubt: their ids are not to be remembered yet. */
  readonly #marked = new Set<HopId>();
  /** Marks that are about to go. */
  #notes = 0;

  constructor(parts: {
    readonly hand: Hand;
    readonly spool: Spool;
    readonly memory: Pick<Remembered, 'remember'>;
    readonly doubts: Pick<Doubts, 'add' | 'has'>;
    readonly clock: Clock;
    readonly log: Log;
    /** A parcel has left the hand. */
    readonly released: () => void;
  }) {
    this.#hand = parts.hand;
    this.#spool = parts.spool;
    this.#memory = parts.memory;
    this.#doubts = parts.doubts;
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#released = parts.released;
  }

  /** Its copies go to the spool under this mark; null: they have not, or it goes. */
  mark(held: Held, pulled: Pulled | null): void {
    for (const hopId of held.pulled?.hopIds ?? []) this.#marked.delete(hopId);
    for (const hopId of pulled?.hopIds ?? []) this.#marked.add(hopId);
    held.pulled = pulled;
  }

  /** The copy of `held` is durable in the spool: acknowledges in the background until confirmed. */
  afterSpooling(held: Held): void {
    this.#hand.release(held);
    if (held.lost) this.abandon(held);
    void this.#untilConfirmed(held);
  }

  /**
   * The shard has another owner, who gets `held` redelivered: acknowledging it would take it from him, for he may be sending it. Its
   * copies are in doubt from here on. What has ended, or was here already, is acknowledged as before.
   */
  abandon(held: Held): void {
    const { hopId, pulled } = held;
    if (!pulled) return;
    this.#forget(held);
    this.mark(held, null);
    this.#doubts.add(hopId, pulled);
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

  /**
   * Resolves when every confirmed acknowledgement is on record, and with the memory. A volume that fails keeps no shard from its next owner:
   * what it does not record is given back one day.
   */
  async recorded(): Promise<void> {
    // A commit takes the notes before it along.
    if (this.#notes > 0) await this.#spool.commit([]).catch(() => {});
  }

  async #untilConfirmed(held: Held): Promise<void> {
    while (!this.#stopped && this.#hand.holds(held)) {
      const isConfirmed = await this.#confirm(held);
      if (!this.#hand.holds(held)) return;
      if (isConfirmed) {
        this.#forget(held);
        this.#record(held);
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS).unref());
    }
    this.#forget(held);
  }

  /**
   * That it is acknowledged is on record before its ids are in the memory of the shard: copies of which it is not may be given back, and
   * whoever knew their ids would let them fall.
   */
  #record(held: Held): void {
    if (!held.pulled) {
      this.#remember(held);
      return;
    }
    this.#notes++;
    this.#spool.note([{ kind: 'pulled', id: held.hopId, pulled: null }], () => {
      this.#notes--;
      this.mark(held, null);
      this.#remember(held);
    });
  }

  #remember({ shard, carries }: Held): void {
    const isOpen = (hopId: HopId) => this.#marked.has(hopId) || this.#doubts.has(hopId);
    for (const hopId of carries)
      if (!isOpen(hopId) && this.#isSafe(hopId)) this.#memory.remember(shard, hopId);
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
