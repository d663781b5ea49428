// Handing the spool over to the other pods' shards (design: Draining, 3). For each parcel, once none of its recipients is in
// flight: the marker `moving` durable → publish under the id of this hand-over → confirmed → removed here. A crash or an
// unknown outcome repeats the same id, for the marker freezes what it was made from. So a parcel that is marked
// must be handed over even when the drain is cancelled: it may be stored at the other end already.
import { failpoint } from '../../process/failpoint.ts';
import type { Log } from '../../process/log.ts';
import { mailStream, mailSubject, poolKey, TRANSFER_CLASS } from '../bus/names.ts';
import { encodeParcel, type HopId, nextHopId, type Parcel, shardOf } from '../message/parcel.ts';
import type { HeldParcel, Spool, SpoolEntry } from '../spool/port.ts';
import type { Busy } from './busy.ts';
import { REMEMBERED_MS } from './memory/memory.ts';
import type { Clock, Publish } from './ports.ts';

export interface HandoverParts {
  readonly spool: Spool;
  readonly busy: Busy;
  readonly publish: Publish;
  readonly log: Log;
  /** Shards of the pool, from its snapshot. */
  readonly shards: () => number;
  readonly moved: (recipients: number) => void;
  readonly clock: Pick<Clock, 'now'>;
  /** So many recipients were handed over that may have been handed over before, longer ago than anybody remembers. */
  readonly possiblyRepeated: (recipients: number) => void;
}

type Destination = NonNullable<HeldParcel['moving']>;

/** Whether a parcel may go although not everything is to go. */
export type Shares = (hopId: HopId, parcel: HeldParcel) => boolean;

const PAGE = 200;
const AT_ONCE = 8;
const AGAIN_MS = 500;
/** When there was nothing to share. */
const NOTHING_MS = 2000;

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

/** Whether the receiver may have had it and forgotten: the marker is older than any memory. Pure. */
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

export class Handover {
  readonly #parts: HandoverParts;
  #all = false;
  #shares: Shares | null = null;
  #stopped = false;
  #running: Promise<void> | null = null;
  #handedOver = 0;

  constructor(parts: HandoverParts) {
    this.#parts = parts;
  }

  /** Parcels handed over by this process. */
  get handedOver(): number {
    return this.#handedOver;
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
    this.start();
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
    let left = 0;
    let after: HopId | null = null;
    while (!this.#stopped) {
      const page: readonly HopId[] = this.#parts.spool.held(after, PAGE);
      const last = page.at(-1);
      if (!last) break;
      after = last;
      // A pass over a long queue must leave the event loop its turn.
      await new Promise((resolve) => setImmediate(resolve));
      for (let at = 0; at < page.length && !this.#stopped; at += AT_ONCE)
        left += (await Promise.all(page.slice(at, at + AT_ONCE).map((hopId) => this.#move(hopId)))).filter(
          Boolean,
        ).length;
    }
    return left;
  }

  #isToGo(hopId: HopId, parcel: HeldParcel): boolean {
    return this.#all || (this.#shares?.(hopId, parcel) ?? false);
  }

  /** Moves one parcel; true: it is marked and still here. */
  async #move(hopId: HopId): Promise<boolean> {
    const { spool, busy, log, shards, clock } = this.#parts;
    const parcel = spool.parcel(hopId);
    if (!parcel || (!parcel.moving && (busy.hasAny(hopId) || !this.#isToGo(hopId, parcel)))) return false;
    let marked = parcel.moving !== null;
    try {
      const entries = spool.entriesOf(hopId);
      const at = clock.now();
      const to = parcel.moving ?? { ...destinationOf(parcel.header, entries, hopId, shards()), at };
      const next = onward(parcel.header, entries, spool.message(hopId), to);
      if (!parcel.moving) await spool.commit([{ kind: 'moving', hopId, to }]);
      marked = true;
      failpoint('delivery.moving');
      await this.#publish(next, to);
      failpoint('delivery.transferred');
      await spool.commit(entries.map(({ index }) => ({ kind: 'remove', hopId, index })));
      failpoint('delivery.transfer-removed');
      if (isForgotten(to, at)) this.#parts.possiblyRepeated(entries.length);
      this.#handedOver++;
      this.#parts.moved(entries.length);
      return false;
    } catch (error) {
      log.warn({ hopId, err: error }, 'a parcel is not handed over yet; the same hand-over is repeated');
      return marked;
    }
  }

  #publish(next: Parcel, to: Destination): Promise<void> {
    const pool = poolKey(next.pool);
    const subject = mailSubject(pool, to.shard, TRANSFER_CLASS);
    return this.#parts.publish(subject, encodeParcel(next), to.hopId, mailStream(pool, to.shard));
  }
}
