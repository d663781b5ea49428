// What becomes of a parcel that is handed over: where it goes, under which id, in which form. Pure.
import { type HopId, nextHopId, type Parcel, shardOf } from '../message/parcel.ts';
import type { HeldParcel, SpoolEntry } from '../spool/port.ts';
import { REMEMBERED_MS } from './memory/memory.ts';

export type Destination = NonNullable<HeldParcel['moving']>;

/** Where a parcel goes, and under which id: the same answer every time as long as its recipients are the same. */
export function destinationOf(
  header: Pick<Parcel, 'id'>,
  entries: readonly SpoolEntry[],
  hopId: HopId,
  shards: number,
): Destination {
  const addresses = entries.map(({ recipient }) => recipient.address);
  return { hopId: nextHopId(hopId, addresses), shard: shardOf(header.id, shards) };
}

/** Whether the receiver may have had it and forgotten: the marker is older than any memory. */
export const isForgotten = ({ at }: Destination, now: number): boolean =>
  at !== undefined && now - at > REMEMBERED_MS;

/** The parcel as the next pod gets it: everything that has happened to its recipients goes along. */
export function onward(
  header: HeldParcel['header'],
  entries: readonly SpoolEntry[],
  message: Buffer,
  to: Destination,
): Parcel {
  const recipients = entries.map(({ recipient }) => recipient);
  return { ...header, hopId: to.hopId, hop: header.hop + 1, recipients, message };
}

/** A bundle grows until it is so large: a few publishes of this size under way are all that a hand-over has in memory. */
const BUNDLE_BYTES = 1024 * 1024;
const BUNDLE_PARCELS = 200;

interface Growing {
  readonly hopIds: HopId[];
  bytes: number;
}

/** Gathers parcels by the shard they go to. */
export class Gathering {
  readonly #growing = new Map<number, Growing>();

  /** Adds a parcel; gives the shard's bundles that are complete now. A large parcel is one of its own. */
  add(shard: number, hopId: HopId, bytes: number): readonly (readonly HopId[])[] {
    if (bytes >= BUNDLE_BYTES) return [[hopId]];
    const growing = this.#growing.get(shard);
    if (!growing) {
      this.#growing.set(shard, { hopIds: [hopId], bytes });
      return [];
    }
    if (growing.bytes + bytes <= BUNDLE_BYTES && growing.hopIds.length < BUNDLE_PARCELS) {
      growing.hopIds.push(hopId);
      growing.bytes += bytes;
      return [];
    }
    this.#growing.set(shard, { hopIds: [hopId], bytes });
    return [growing.hopIds];
  }

  /** What is left, by shard. */
  *rest(): Generator<[number, readonly HopId[]]> {
    for (const [shard, { hopIds }] of this.#growing) yield [shard, hopIds];
    this.#growing.clear();
  }
}
