// What happens to a parcel that was pulled. The decision is pure; `Intake` carries it out.
import { failpoint } from '../../process/failpoint.ts';
import type { Log } from '../../process/log.ts';
import { bundleId, decodeBundle } from '../message/bundle.ts';
import type { Parcel, Recipient } from '../message/parcel.ts';
import type { Spool } from '../spool/port.ts';
import type { Acknowledger } from './acknowledge.ts';
import type { Busy } from './busy.ts';
import type { Doubts } from './doubt.ts';
import type { Passage } from './gate.ts';
import type { Hand, Held } from './hand.ts';
import type { Lane } from './lane.ts';
import type { Remembered } from './memory/memory.ts';
import type { Clock, MailMessage, Route, Task } from './ports.ts';
import { keptFate } from './results.ts';
import type { Scheduler } from './scheduler.ts';
import type { Settler } from './settle.ts';

/** Most recipients in one SMTP transaction (RFC 5321 §4.5.3.1.8 promises that servers take 100). */
export const MOST_RECIPIENTS = 100;
/** How deep a site's queue may be for a parcel still to wait for it in memory. */
const FAST_QUEUE = 300;
/** A parcel that decodes nowhere is shown again after this long: a newer pod may know its form. */
const UNREADABLE_RETRY_MS = 60_000;
/** A message that must wait for a fence, for an attempt of before or for what becomes of a copy is shown again after this long. */
const HELD_BACK_MS = 2000;

export type Arrival = 'new' | 'in hand' | 'held' | 'finished';

/** What a hop id that arrives means, by what this pod knows of it. */
export function arrivalOf(inHand: boolean, known: 'held' | 'finished' | null): Arrival {
  return inHand ? 'in hand' : (known ?? 'new');
}

/** The domain of an address, lower case, or '' when it has none. */
export const domainOf = (address: string): string =>
  address.slice(address.lastIndexOf('@') + 1 || address.length).toLowerCase();

/**
 * The one destination domain of a parcel that may be tried at once; null: it goes to the spool first, because it has several
 * destinations, is not due yet, or only waits for a bounce.
 */
export function fastDomain(recipients: readonly Recipient[], now: number): string | null {
  const [first] = recipients;
  if (!first || recipients.length > MOST_RECIPIENTS) return null;
  const domain = domainOf(first.address);
  const fits = (recipient: Recipient) =>
    domainOf(recipient.address) === domain &&
    (recipient.dueAt === null || recipient.dueAt <= now) &&
    keptFate(recipient) === null;
  return recipients.every(fits) ? domain : null;
}

export interface IntakeParts {
  readonly hand: Hand;
  readonly spool: Spool;
  readonly memory: Pick<Remembered, 'knows'>;
  readonly doubts: Pick<Doubts, 'has'>;
  readonly busy: Busy;
  readonly settler: Settler;
  readonly acknowledger: Acknowledger;
  readonly scheduler: Scheduler;
  readonly clock: Clock;
  readonly log: Log;
  readonly route: (domain: string) => Promise<Route>;
  readonly lane: Lane;
  /** Most attempts at once at a site of the provider. */
  readonly concurrency: (provider: string) => number;
  /** Whether an attempt may start at all now. */
  readonly open: () => boolean;
  /** There is something to schedule. */
  readonly offered: () => void;
  /** So many recipients are taken in that a former owner may have sent to already. */
  readonly possiblyRepeated: (recipients: number) => void;
}

export class Intake {
  readonly #parts: IntakeParts;

  constructor(parts: IntakeParts) {
    this.#parts = parts;
  }

  /** Takes in one delivery of one parcel, or bundle. Never rejects; returns whether a budget slot is kept until `released`. */
  take(message: MailMessage, shard: number, passage: Passage = 'free'): boolean {
    const parcels = this.#decode(message);
    if (!parcels) return false;
    return parcels.length === 1
      ? this.#takeParcel(message, shard, passage, parcels[0])
      : this.#takeBundle(message, shard, passage, parcels);
  }

  #takeParcel(message: MailMessage, shard: number, passage: Passage, parcel: Parcel): boolean {
    const { hand, acknowledger, clock, busy } = this.#parts;
    const held = hand.get(parcel.hopId);
    if (!held && this.#isOpen(parcel)) return this.#later(message);
    switch (arrivalOf(held !== undefined, this.#known(shard, parcel))) {
      case 'in hand':
        if (held) hand.again(held, message);
        return false;
      case 'held':
      case 'finished':
        acknowledger.afterSpooling(hand.add(parcel.hopId, shard, message, null, clock.monotonic()));
        return true;
      case 'new':
        // A task of before is still queued or under way: two for one parcel would send it twice.
        if (passage === 'held' || busy.hasAny(parcel.hopId)) return this.#later(message);
        failpoint('delivery.pulled');
        if (passage === 'unconfirmed') this.#parts.possiblyRepeated(parcel.recipients.length);
        void this.#begin(hand.add(parcel.hopId, shard, message, parcel, clock.monotonic()), parcel);
        return true;
    }
  }

  /**
   * A bundle goes to the spool whole. Parcels that are known, or in hand by a publish of their own, which stays until their fate is
   * durable, are only acknowledged with it.
   */
  #takeBundle(message: MailMessage, shard: number, passage: Passage, parcels: readonly Parcel[]): boolean {
    const { hand, acknowledger, clock, busy, possiblyRepeated } = this.#parts;
    const carries = parcels.map(({ hopId }) => hopId);
    const id = bundleId(carries);
    const held = hand.get(id);
    if (held) {
      hand.again(held, message);
      return false;
    }
    if (parcels.some((parcel) => this.#isOpen(parcel))) return this.#later(message);
    const fresh = parcels.filter(
      (parcel) => arrivalOf(hand.get(parcel.hopId) !== undefined, this.#known(shard, parcel)) === 'new',
    );
    if (fresh.length > 0 && (passage === 'held' || fresh.some(({ hopId }) => busy.hasAny(hopId))))
      return this.#later(message);
    failpoint('delivery.pulled');
    const recipients = fresh.reduce((sum, parcel) => sum + parcel.recipients.length, 0);
    if (passage === 'unconfirmed') possiblyRepeated(recipients);
    const bytes = parcels.reduce((sum, parcel) => sum + parcel.message.length, 0);
    const taken = hand.addBundle(id, carries, shard, message, clock.monotonic(), bytes);
    if (fresh.length === 0) acknowledger.afterSpooling(taken);
    else void this.#written(taken, this.#parts.settler.spoolBundle(taken, fresh));
    return true;
  }

  /**
   * It came with a bundle that is not acknowledged yet, or its copy is in doubt: acknowledged under another publish, that copy might be given
   * back to a shard that knows it.
   */
  #isOpen({ hopId }: Parcel): boolean {
    return this.#parts.hand.isBundled(hopId) || this.#parts.doubts.has(hopId);
  }

  #later(message: MailMessage): false {
    message.nak(HELD_BACK_MS);
    return false;
  }

  /** What this pod knows of it, or the owners of the shard before knew. */
  #known(shard: number, { hopId }: Parcel): 'held' | 'finished' | null {
    const { spool, memory } = this.#parts;
    return spool.knows(hopId) ?? (memory.knows(shard, hopId) ? 'finished' : null);
  }

  async #begin(held: Held, parcel: Parcel): Promise<void> {
    const { clock, open, log } = this.#parts;
    const domain = open() ? fastDomain(parcel.recipients, clock.now()) : null;
    try {
      if (domain === null || !(await this.#offer(held, parcel, domain))) await this.spool(held);
    } catch (error) {
      log.error({ hopId: held.hopId, err: error }, 'intake failed; the parcel stays in hand');
    }
  }

  async #offer(held: Held, parcel: Parcel, domain: string): Promise<boolean> {
    const { route, scheduler, clock, busy, offered, concurrency } = this.#parts;
    const to = await route(domain);
    if (to.kind !== 'site' || !held.parcel) return false;
    const site = to.site + this.#parts.lane(() => parcel);
    if (scheduler.blockedUntil(site) > clock.now() || scheduler.queuedAt(site) >= FAST_QUEUE) return false;
    const indexes = parcel.recipients.map((_, index) => index);
    const { hopId, account, priorityClass } = parcel;
    const task: Task = { hopId, account, priorityClass, domain, indexes, ...to, site };
    busy.add(hopId, indexes);
    scheduler.offer(task, concurrency(to.provider));
    offered();
    return true;
  }

  /** Writes a parcel to the spool; when that fails, it goes back to its stream. */
  spool(held: Held): Promise<void> {
    return this.#written(held, this.#parts.settler.spoolHeld(held));
  }

  async #written(held: Held, writing: Promise<void>): Promise<void> {
    try {
      await writing;
      this.#parts.offered();
    } catch (error) {
      this.#parts.log.warn(
        { hopId: held.hopId, err: error },
        'the spool cannot be written; the parcel stays in its stream',
      );
    }
  }

  #decode(message: MailMessage): readonly [Parcel, ...Parcel[]] | null {
    try {
      return decodeBundle(message.data);
    } catch (error) {
      this.#parts.log.error({ err: error }, 'a parcel cannot be read here; it stays in its stream');
      message.nak(UNREADABLE_RETRY_MS);
      return null;
    }
  }
}
