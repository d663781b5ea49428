// What delivery needs of the durable queue on a pod's volume. lmdb.ts keeps the promise on LMDB.
import type { HopId, Parcel, ParcelHeader, Recipient } from '../message/parcel.ts';

/** One queued recipient of one held parcel. */
export interface SpoolEntry {
  readonly hopId: HopId;
  /** Position in the parcel's recipient list as it was put. */
  readonly index: number;
  readonly recipient: Recipient;
}

/** A publish whose parcels were put and whose acknowledgement is not known to be carried out: who pulled it, when, under which epoch of which shard. */
export interface Pulled {
  readonly shard: number;
  readonly epoch: number;
  /** Of the pod. */
  readonly uid: string;
  /** ms since the epoch. */
  readonly at: number;
  /** The parcels that it brought. */
  readonly hopIds: readonly HopId[];
}

/** A parcel the spool holds, without its message. */
export interface HeldParcel {
  readonly header: Omit<ParcelHeader, 'recipients'>;
  readonly messageBytes: number;
  /**
   * Set durably before the first publish of a transfer: from then on its entries are frozen and only this hand-over may end them.
   * `at`: when, in ms since the epoch; absent in markers of an older release.
   */
  readonly moving: { readonly hopId: HopId; readonly shard: number; readonly at?: number } | null;
}

/** A change; the changes of one `commit` become durable together or not at all. */
export type SpoolChange =
  /** Holds a parcel with the recipients it carries. A hop id that is held or finished already changes nothing. */
  | { readonly kind: 'put'; readonly parcel: Parcel }
  /** Keeps how a publish came, together with its parcels; null: its acknowledgement is confirmed. `id`: of the publish. */
  | { readonly kind: 'pulled'; readonly id: HopId; readonly pulled: Pulled | null }
  /** A parcel leaves without a trace, as if it had never been held: its shard has it under the same hop id. */
  | { readonly kind: 'giveBack'; readonly hopId: HopId }
  /** A recipient was tried and waits again. */
  | { readonly kind: 'update'; readonly hopId: HopId; readonly index: number; readonly recipient: Recipient }
  /** A recipient is final (delivered, bounced, suppressed, …) or handed over; with the last one the parcel is finished and its message deleted. */
  | { readonly kind: 'remove'; readonly hopId: HopId; readonly index: number }
  | { readonly kind: 'moving'; readonly hopId: HopId; readonly to: NonNullable<HeldParcel['moving']> | null }
  /** Remembers a hop id as finished although it was never held (the fast path). */
  | { readonly kind: 'finished'; readonly hopId: HopId; readonly at: number };

export interface SpoolStats {
  /** Made with the spool, the same for as long as its volume lasts; null: the volume was full when it was opened. */
  readonly id: string | null;
  readonly entries: number;
  readonly parcels: number;
  /** Parcels that are marked as moving; null: not known, on a volume of an older release. */
  readonly moving: number | null;
  readonly bytes: number;
  readonly freeBytes: number;
  readonly oldestAcceptedAt: number | null;
  /** Why it cannot be written (full, read-only, failing), or null. */
  readonly failure: string | null;
}

/** Where a look through what is due has got to. It means nothing outside of the spool. */
export type DuePlace = string & { readonly brand: 'DuePlace' };

export interface Spool {
  /** Resolves when the changes are on the disk (synced); concurrent calls share a sync. Rejects when they are certainly not durable. */
  commit(changes: readonly SpoolChange[]): Promise<void>;
  /**
   * Like `commit` but without waiting: a crash may forget them. For `finished`, and `pulled` with null. `written` is told when they are on
   * the disk; never, when they are forgotten.
   */
  note(changes: readonly SpoolChange[], written?: () => void): void;
  /** The publishes that are not known to be acknowledged, by id. Reads what is stored: for a start. */
  pulled(): ReadonlyMap<HopId, Pulled>;
  /** Whether a hop id is held or finished here within the last 24 h. Sees changes from the moment `commit`/`note` was called. */
  knows(hopId: HopId): 'held' | 'finished' | null;
  /** Entries due at or before `now` in order of due time (null first), at most `limit`, leaving out parcels that are moving and what `skip` says. */
  due(now: number, limit: number, skip: (entry: SpoolEntry) => boolean): readonly SpoolEntry[];
  /** The next of what is due, in the order of `due`, behind `after` (null: from the first), at most `limit`; `place` null: that was all. */
  duePage(
    now: number,
    after: DuePlace | null,
    limit: number,
  ): { readonly entries: readonly SpoolEntry[]; readonly place: DuePlace | null };
  /** The earliest due time after `now`, or null. */
  nextDue(now: number): number | null;
  parcel(hopId: HopId): HeldParcel | null;
  entriesOf(hopId: HopId): readonly SpoolEntry[];
  /** The message bytes. Throws CorruptRecordError when they do not match their checksum; the record is kept for people to look at. */
  message(hopId: HopId): Buffer;
  /** Held hop ids in a stable order after `after`, at most `limit`: for handing over. */
  held(after: HopId | null, limit: number): readonly HopId[];
  stats(): SpoolStats;
  close(): Promise<void>;
}
