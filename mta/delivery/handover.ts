// Handing the spool over to the other pods' shards (design: Draining, 3). For each bundle of parcels that go to one shard, once none of
// their recipients is in flight: the marker `moving` of each durable → published, each under the id of its hand-over → confirmed →
// removed here. A crash or an unknown outcome repeats the same ids, for the marker freezes what they were made from. So a parcel that is
// marked must be handed over even when the drain is cancelled: it may be stored at the other end already.
import { failpoint } from '../../process/failpoint.ts';
import type { Log } from '../../process/log.ts';
import { mailStream, mailSubject, poolKey, TRANSFER_CLASS } from '../bus/names.ts';
import { BundleWriter, bundleId } from '../message/bundle.ts';
import { type HopId, shardOf } from '../message/parcel.ts';
import { CorruptRecordError } from '../spool/errors.ts';
import type { HeldParcel, Spool, SpoolChange } from '../spool/port.ts';
import type { Busy } from './busy.ts';
import { type Destination, destinationOf, Gathering, isForgotten, onward } from './onward.ts';
import type { Clock, Publish } from './ports.ts';

export interface HandoverParts {
  readonly spool: Spool;
  readonly busy: Busy;
  /** Nothing is to be begun with a copy: it is still in hand, or in doubt. */
  readonly heldBack: (hopId: HopId) => boolean;
  readonly publish: Publish;
  readonly log: Log;
  /** Shards of the pool, from its snapshot. */
  readonly shards: () => number;
  readonly moved: (recipients: number) => void;
  readonly clock: Pick<Clock, 'now'>;
  /** So many recipients were handed over that may have been handed over before, longer ago than anybody remembers. */
  readonly possiblyRepeated: (recipients: number) => void;
}

/** Parcels of one bundle. */
interface Bundle {
  readonly shard: number;
  readonly hopIds: readonly HopId[];
}

/** A parcel of a bundle that is on its way. */
interface Leaving {
  readonly hopId: HopId;
  /** SendingPool as namespace/name. */
  readonly pool: string;
  readonly indexes: readonly number[];
  readonly to: Destination;
  readonly marked: boolean;
}

/** What of a bundle leaves now, in one publish. */
interface Load {
  readonly leaving: readonly Leaving[];
  /** The parcels as the next pod gets them. It is all that is in memory of their messages while the bundle is on its way. */
  readonly data: Uint8Array;
  /** Parcels that are marked and stay. */
  readonly stuck: number;
}

/** Whether a parcel may go although not everything is to go. */
export type Shares = (hopId: HopId, parcel: HeldParcel) => boolean;

const PAGE = 200;
/** Bundles under way. */
const AT_ONCE = 4;
/** A publish takes no further parcel from here on: many recipients can make a bundle of small messages large. */
const ENOUGH_BYTES = 1.5 * 1024 * 1024;
const AGAIN_MS = 500;
/** When there was nothing to share. */
const NOTHING_MS = 2000;

export class Handover {
  readonly #parts: HandoverParts;
  readonly #writer = new BundleWriter();
  #all = false;
  #shares: Shares | null = null;
  #stopped = false;
  #running: Promise<void> | null = null;
  #handedOver = 0;
  /** Parcels whose record is damaged: they cannot be handed over. */
  readonly #damaged = new Set<HopId>();

  constructor(parts: HandoverParts) {
    this.#parts = parts;
  }

  /** Parcels handed over by this process. */
  get handedOver(): number {
    return this.#handedOver;
  }

  /** Recipients of parcels that were found damaged and are still here. */
  get unreadable(): number {
    const { spool } = this.#parts;
    for (const hopId of this.#damaged) if (!spool.parcel(hopId)) this.#damaged.delete(hopId);
    return [...this.#damaged].reduce((sum, hopId) => sum + spool.entriesOf(hopId).length, 0);
  }

  get all(): boolean {
    return this.#all;
  }

  /** `true`: everything in the spool is to go; `false`: only what is marked already. */
  set all(all: boolean) {
    this.#all = all;
    this.start();
  }

  /** Which parcels go to other pods while this one goes on with the rest (sharing.ts); null: none. */
  set shares(shares: Shares | null) {
    this.#shares = shares;
    // A pass goes through the whole spool: an assignment that asks for none must not begin one.
    if (shares) this.start();
  }

  /** Completes what is marked, and goes on with the rest as long as all is to go. */
  start(): void {
    if (this.#stopped) return;
    this.#running ??= this.#untilDone();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  /** Never rejects: a pass that failed (a spool that cannot be read) is begun again. */
  async #untilDone(): Promise<void> {
    let isDone = false;
    while (!isDone && !this.#stopped) {
      try {
        await this.#run();
        isDone = true;
      } catch (error) {
        this.#parts.log.error({ err: error }, 'the hand-over was interrupted; it goes on');
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      }
    }
    this.#running = null;
    if (this.#goesOn) this.start();
  }

  async #run(): Promise<void> {
    // A look for marked parcels reads the whole spool: not at each start for nothing.
    if (!this.#goesOn && this.#parts.spool.stats().moving === 0) return;
    do {
      const before = this.#handedOver;
      const left = await this.#pass();
      if (left === 0 && !this.#goesOn) return;
      const isIdle = left === 0 && !this.#all && this.#handedOver === before;
      await new Promise((resolve) => setTimeout(resolve, isIdle ? NOTHING_MS : AGAIN_MS));
    } while (!this.#stopped);
  }

  get #goesOn(): boolean {
    return this.#all || this.#shares !== null;
  }

  /** One pass over the spool; returns how many parcels are marked and still here. */
  async #pass(): Promise<number> {
    // A shard that takes nothing now is not tried with more in this pass: what is marked for it is delivered by nobody meanwhile.
    const refusing = new Set<number>();
    const bundles = this.#bundles(refusing);
    let left = 0;
    const work = async () => {
      for (let one = await bundles.next(); !one.done; one = await bundles.next())
        left += await this.#send(one.value, refusing);
    };
    const all = await Promise.allSettled(Array.from({ length: AT_ONCE }, work));
    for (const one of all) if (one.status === 'rejected') throw one.reason;
    return left;
  }

  async *#bundles(refusing: ReadonlySet<number>): AsyncGenerator<Bundle, void> {
    const gathering = new Gathering();
    let after: HopId | null = null;
    while (!this.#stopped) {
      const page: readonly HopId[] = this.#parts.spool.held(after, PAGE);
      const last = page.at(-1);
      if (!last) break;
      after = last;
      // A pass over a long queue must leave the event loop its turn.
      await new Promise((resolve) => setImmediate(resolve));
      for (const hopId of page) {
        const found = this.#goes(hopId, refusing);
        if (!found) continue;
        const { shard, parcel } = found;
        for (const hopIds of gathering.add(shard, hopId, parcel.messageBytes)) yield { shard, hopIds };
      }
    }
    for (const [shard, hopIds] of gathering.rest()) if (!this.#stopped) yield { shard, hopIds };
  }

  /** Where a parcel is to go now; null: it stays for the moment. */
  #goes(hopId: HopId, refusing: ReadonlySet<number>): { shard: number; parcel: HeldParcel } | null {
    const { spool, busy, heldBack, shards } = this.#parts;
    const parcel = spool.parcel(hopId);
    if (!parcel) return null;
    if (parcel.moving) return { shard: parcel.moving.shard, parcel };
    const shard = shardOf(parcel.header.id, shards());
    if (busy.hasAny(hopId) || heldBack(hopId) || refusing.has(shard)) return null;
    return this.#isToGo(hopId, parcel) ? { shard, parcel } : null;
  }

  #isToGo(hopId: HopId, parcel: HeldParcel): boolean {
    return this.#all || (this.#shares?.(hopId, parcel) ?? false);
  }

  /** Hands a bundle over; gives how many of its parcels are marked and still here. */
  async #send({ shard, hopIds }: Bundle, refusing: Set<number>): Promise<number> {
    const { spool, log } = this.#parts;
    const { leaving, data, stuck: left } = this.#readyToLeave(hopIds, shard, refusing);
    const [first] = leaving;
    if (!first) return left;
    let marked = leaving.filter((one) => one.marked).length;
    try {
      const marks = leaving.filter((one) => !one.marked);
      if (marks.length)
        await spool.commit(marks.map(({ hopId, to }): SpoolChange => ({ kind: 'moving', hopId, to })));
      marked = leaving.length;
      failpoint('delivery.moving');
      await this.#publish(first, shard, leaving, data);
      failpoint('delivery.transferred');
      await spool.commit(leaving.flatMap(removal));
      failpoint('delivery.transfer-removed');
      this.#count(leaving);
      return left;
    } catch (error) {
      refusing.add(shard);
      const about = { shard, parcels: leaving.length, first: first.hopId, err: error };
      log.warn(about, 'parcels are not handed over yet; the same hand-over is repeated');
      return left + marked;
    }
  }

  /** As much as one publish may carry. In the step in which this is called they must be marked: from then on they are frozen. */
  #readyToLeave(hopIds: readonly HopId[], shard: number, refusing: ReadonlySet<number>): Load {
    const leaving: Leaving[] = [];
    const writer = this.#writer;
    writer.begin();
    let stuck = 0;
    for (const hopId of hopIds) {
      const found = this.#goes(hopId, refusing);
      const parcel = found?.shard === shard ? found.parcel : null;
      const one = parcel && writer.bytes < ENOUGH_BYTES ? this.#leaving(hopId, parcel) : null;
      if (one) leaving.push(one);
      else if (parcel?.moving) stuck++;
    }
    return { leaving, data: writer.take(), stuck };
  }

  /** Adds it to the bundle that is written. A parcel that cannot be read stays; the others go. */
  #leaving(hopId: HopId, { header, moving }: HeldParcel): Leaving | null {
    const { spool, log, shards, clock } = this.#parts;
    try {
      const entries = spool.entriesOf(hopId);
      const to = moving ?? { ...destinationOf(header, entries, hopId, shards()), at: clock.now() };
      this.#writer.add(onward(header, entries, spool.message(hopId), to));
      const indexes = entries.map(({ index }) => index);
      return { hopId, pool: header.pool, indexes, to, marked: moving !== null };
    } catch (error) {
      if (error instanceof CorruptRecordError) this.#damaged.add(hopId);
      log.warn({ hopId, err: error }, 'a parcel cannot be read and is not handed over');
      return null;
    }
  }

  #publish({ pool }: Leaving, shard: number, leaving: readonly Leaving[], data: Uint8Array): Promise<void> {
    const key = poolKey(pool);
    const id = bundleId(leaving.map(({ to }) => to.hopId));
    return this.#parts.publish(mailSubject(key, shard, TRANSFER_CLASS), data, id, mailStream(key, shard));
  }

  #count(leaving: readonly Leaving[]): void {
    const now = this.#parts.clock.now();
    for (const { to, indexes } of leaving) {
      if (isForgotten(to, now)) this.#parts.possiblyRepeated(indexes.length);
      this.#handedOver++;
      this.#parts.moved(indexes.length);
    }
  }
}

const removal = ({ hopId, indexes }: Leaving): SpoolChange[] =>
  indexes.map((index) => ({ kind: 'remove', hopId, index }));
