// What a busy pod hands over to pods that have less to do (operator/decide/rebalance.ts): parcels of shards that others work by now, and only
// such that are ready whole. Each goes to the owner of its shard, by the hand-over of a drain, under an id of its own; this pod goes on
// with the rest meanwhile.
import { type HopId, shardOf } from '../message/parcel.ts';
import type { HeldParcel, Spool } from '../spool/port.ts';
import type { Hand } from './hand.ts';
import type { Shares } from './handover.ts';
import { domainOf } from './intake.ts';
import type { Marks } from './lane.ts';
import type { Clock } from './ports.ts';
import { keptFate } from './results.ts';

export interface SharingParts {
  readonly spool: Pick<Spool, 'entriesOf'>;
  readonly hand: Pick<Hand, 'get'>;
  readonly clock: Pick<Clock, 'now'>;
  /** Shards of the pool, from its snapshot. */
  readonly shards: () => number;
  /** Whether another pod could send this mail to this domain now. */
  readonly hasRoom: (domain: string, header: () => Marks) => boolean;
}

export class Sharing {
  readonly #parts: SharingParts;

  constructor(parts: SharingParts) {
    this.#parts = parts;
  }

  /** @param shards of others, who keep them */
  with(shards: ReadonlySet<number>): Shares {
    return (hopId, { header }: HeldParcel) =>
      shards.has(shardOf(header.id, this.#parts.shards())) && this.#isReady(hopId, header);
  }

  /** What waits for its due time or for a limit is no sooner sent by others, and what only owes a bounce is no work. */
  #isReady(hopId: HopId, header: Marks): boolean {
    const { spool, hand, clock, hasRoom } = this.#parts;
    if (hand.get(hopId)) return false;
    const now = clock.now();
    const entries = spool.entriesOf(hopId);
    return (
      entries.length > 0 &&
      entries.every(
        ({ recipient }) =>
          (recipient.dueAt ?? 0) <= now &&
          !keptFate(recipient) &&
          hasRoom(domainOf(recipient.address), () => header),
      )
    );
  }
}
