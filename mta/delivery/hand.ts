// The parcels in hand: pulled from JetStream and not yet acknowledged with confirmation. A parcel leaves only when the
// server has confirmed the acknowledgement, so `size` is the truth a drain rests on; a redelivery of one that is in hand
// only refreshes its timer.
import type { HopId, Parcel } from '../message/parcel.ts';
import type { Pulled } from '../spool/port.ts';
import type { MailMessage } from './ports.ts';

export interface Held {
  /** Of a bundle: its id. */
  readonly hopId: HopId;
  /** The hop ids that are acknowledged with it: its own, or those of the parcels in the bundle. */
  readonly carries: readonly HopId[];
  readonly shard: number;
  /** In memory; 0 once it is released. */
  bytes: number;
  /** Monotonic ms of its arrival, or of when it could neither be written nor given back. */
  since: number;
  /** The latest delivery of it: the one that is acknowledged. */
  message: MailMessage;
  /** Further stored messages with the same hop id: acknowledged together with it. */
  twins: MailMessage[];
  /** Null once its fate or its copy is durable elsewhere: only the acknowledgement is still to come. */
  parcel: Parcel | null;
  /** How it stands in the spool, with its copies, until it is acknowledged; null: it has put none. */
  pulled: Pulled | null;
  /** An attempt is under way for it. */
  attempting: boolean;
  /** Its shard has another owner, who gets it redelivered: only an end that an attempt still brings is recorded. */
  lost: boolean;
  /** Changes of its state queue up here, one after the other. */
  turn: Promise<void>;
}

export class Hand {
  readonly #held = new Map<HopId, Held>();
  /** Ids that come with a bundle in hand. */
  readonly #bundled = new Set<HopId>();
  #bytes = 0;

  get size(): number {
    return this.#held.size;
  }

  /** Bytes of the parcels whose message is still in memory. */
  get bytes(): number {
    return this.#bytes;
  }

  get(hopId: HopId): Held | undefined {
    return this.#held.get(hopId);
  }

  /** Whether a bundle in hand carries it. */
  isBundled(hopId: HopId): boolean {
    return this.#bundled.has(hopId);
  }

  /** By itself or in a bundle: something is still to be made durable or acknowledged. */
  has(hopId: HopId): boolean {
    return this.#held.has(hopId) || this.#bundled.has(hopId);
  }

  /** Whether it has not left; another may stand under its hop id by now. */
  holds(held: Held): boolean {
    return this.#held.get(held.hopId) === held;
  }

  values(): IterableIterator<Held> {
    return this.#held.values();
  }

  /** Takes a parcel in hand; `parcel` null: only its acknowledgement is to be made. */
  add(hopId: HopId, shard: number, message: MailMessage, parcel: Parcel | null, since: number): Held {
    return this.#add(hopId, [hopId], shard, message, parcel, since, parcel ? message.data.length : 0);
  }

  /** Takes a bundle in hand, of so many bytes in memory, which is being written to the spool whole and then acknowledged. */
  addBundle(
    id: HopId,
    carries: readonly HopId[],
    shard: number,
    message: MailMessage,
    since: number,
    bytes: number = message.data.length,
  ): Held {
    for (const hopId of carries) this.#bundled.add(hopId);
    return this.#add(id, carries, shard, message, null, since, bytes);
  }

  #add(
    hopId: HopId,
    carries: readonly HopId[],
    shard: number,
    message: MailMessage,
    parcel: Parcel | null,
    since: number,
    bytes: number,
  ): Held {
    const held: Held = {
      hopId,
      carries,
      shard,
      bytes,
      since,
      message,
      twins: [],
      parcel,
      pulled: null,
      attempting: false,
      lost: false,
      turn: Promise.resolve(),
    };
    this.#held.set(hopId, held);
    this.#bytes += bytes;
    return held;
  }

  /** Its copy or its fate is durable: the message may leave memory. */
  release(held: Held): void {
    this.#bytes -= held.bytes;
    held.bytes = 0;
    held.parcel = null;
  }

  /** Takes it out of the hand; false when it had left already, whoever stands under its hop id now. */
  remove(held: Held): boolean {
    this.release(held);
    if (!this.holds(held)) return false;
    this.#held.delete(held.hopId);
    if (isBundle(held)) for (const hopId of held.carries) this.#bundled.delete(hopId);
    return true;
  }

  /** Another delivery of a parcel in hand, which only refreshes it. */
  again(held: Held, message: MailMessage): void {
    held.lost = false;
    if (held.message.sequence !== message.sequence) {
      const others = held.twins.filter(({ sequence }) => sequence !== message.sequence);
      held.twins = [...others, message];
    } else held.message = message;
    message.working();
  }

  unacknowledged(shard: number): number {
    let count = 0;
    for (const held of this.#held.values()) if (held.shard === shard) count++;
    return count;
  }

  /** Keeps JetStream from redelivering what is in hand; to be called well within ack_wait (30 s). */
  refresh(): void {
    for (const { message, twins } of this.#held.values()) {
      message.working();
      for (const twin of twins) twin.working();
    }
  }
}

const isBundle = ({ hopId, carries }: Held): boolean => carries[0] !== hopId;

/** Runs `change` after the changes of the parcel that were asked for before. */
export function inTurn(held: Held, change: () => Promise<void>): Promise<void> {
  const run = held.turn.then(change);
  held.turn = run.catch(() => {});
  return run;
}
