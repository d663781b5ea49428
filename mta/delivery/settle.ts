// Makes fates durable, in the order that lets a crash at any point cost nothing but work:
//   bounce published and confirmed → the recipient's end or its new state durable → the giver's copy given up.
// A parcel is in memory (pulled, fast path) or in the spool; the same fates are applied to either.
import { failpoint } from '../../process/failpoint.ts';
import type { Log } from '../../process/log.ts';
import type { HopId, Parcel, ParcelHeader, Recipient } from '../message/parcel.ts';
import type { Pulled, Spool, SpoolChange } from '../spool/port.ts';
import type { Acknowledger } from './acknowledge.ts';
import { type Hand, type Held, inTurn } from './hand.ts';
import type { Clock } from './ports.ts';
import { awaitingBounce, type Fate } from './results.ts';

export interface Settled {
  readonly index: number;
  readonly recipient: Recipient;
  readonly fate: Fate;
  /** The host whose reply decided it, if one did. */
  readonly host?: string | null;
  readonly provider?: string;
  readonly source?: string | null;
}

/** The parcel without its recipients and message. */
export type Header = Omit<ParcelHeader, 'recipients'>;

/** Publishes the bounce of a recipient; resolves with true when it is confirmed or none is due, false when it must wait. */
export type PublishBounce = (header: Header, settled: Settled, message: () => Buffer) => Promise<boolean>;

/** As whom this pod has pulled what it has in hand. */
export type PulledAs = (held: Held) => Omit<Pulled, 'hopIds'>;

const RETRY_MS = 1000;
/** When a parcel that went back to its stream is shown again at the earliest. */
const GIVE_BACK_MS = 5000;

export class Settler {
  readonly #hand: Hand;
  readonly #spool: Spool;
  readonly #acknowledger: Acknowledger;
  readonly #publishBounce: PublishBounce;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #ended: (header: Header, settled: Settled) => void;
  readonly #refused: (error: Error) => void;
  readonly #pulledAs: PulledAs;
  #homeless = 0;

  constructor(parts: {
    readonly hand: Hand;
    readonly spool: Spool;
    readonly acknowledger: Acknowledger;
    readonly publishBounce: PublishBounce;
    readonly clock: Clock;
    readonly log: Log;
    /** Told of each recipient that has ended or waits again, once that is durable. */
    readonly ended: (header: Header, settled: Settled) => void;
    /** Told when the spool has not taken a parcel. */
    readonly refused: (error: Error) => void;
    readonly pulledAs: PulledAs;
  }) {
    this.#hand = parts.hand;
    this.#spool = parts.spool;
    this.#acknowledger = parts.acknowledger;
    this.#publishBounce = parts.publishBounce;
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#ended = parts.ended;
    this.#refused = parts.refused;
    this.#pulledAs = parts.pulledAs;
  }

  /** Results that have no durable place at the moment; while there is one, no new attempt may start. */
  get homeless(): number {
    return this.#homeless;
  }

  /** Applies fates to recipients of the parcel; resolves when they are durable, however long that takes. */
  async settle(hopId: HopId, header: Header, settled: readonly Settled[]): Promise<void> {
    const held = this.#hand.get(hopId);
    await this.#persist(hopId, async () => {
      const message = () => this.#hand.get(hopId)?.parcel?.message ?? this.#spool.message(hopId);
      const fates = await this.#withBounces(header, settled, message);
      if (held?.parcel) await inTurn(held, () => this.#apply(held, hopId, fates));
      else await this.#settleSpooled(hopId, fates);
      this.#tell(header, fates);
    });
  }

  /**
   * Writes a parcel in hand to the spool as it is, and acknowledges it. Rejects when it cannot be written; unless an attempt is
   * under way, it has gone back to its stream then, where it is durable.
   */
  spoolHeld(held: Held): Promise<void> {
    return inTurn(held, async () => {
      if (!held.parcel) return;
      try {
        await this.#put(held, [held.parcel]);
      } catch (error) {
        if (!held.attempting && !this.#acknowledger.giveBack(held, GIVE_BACK_MS))
          held.since = this.#clock.monotonic(); // and the sweep tries again, as long after
        throw error;
      }
    });
  }

  /**
   * Writes parcels that came in one publish to the spool, and acknowledges it. Rejects when they cannot be written; it has gone back to
   * its stream then. What is held or finished here already stays as it is.
   */
  spoolBundle(held: Held, parcels: readonly Parcel[]): Promise<void> {
    return inTurn(held, async () => {
      try {
        await this.#put(held, parcels);
      } catch (error) {
        if (!this.#acknowledger.giveBack(held, GIVE_BACK_MS)) this.#writeLater(held, parcels);
        throw error;
      }
    });
  }

  #writeLater(held: Held, parcels: readonly Parcel[]): void {
    setTimeout(() => void this.spoolBundle(held, parcels).catch(() => {}), GIVE_BACK_MS).unref();
  }

  /** What counts must not undo what is recorded. */
  #tell(header: Header, fates: readonly Settled[]): void {
    try {
      for (const one of fates) this.#ended(header, one);
    } catch (error) {
      this.#log.error({ hopId: header.hopId, err: error }, 'a result is recorded and not counted');
    }
  }

  /** Between asking and its turn the parcel may have gone to the spool. */
  #apply(held: Held, hopId: HopId, fates: readonly Settled[]): Promise<void> {
    return held.parcel ? this.#settleHeld(held, held.parcel, fates) : this.#settleSpooled(hopId, fates);
  }

  async #settleHeld(held: Held, parcel: Parcel, fates: readonly Settled[]): Promise<void> {
    const done = new Map(fates.map((one) => [one.index, one.fate]));
    const left = parcel.recipients.flatMap((recipient, index) => {
      const fate = done.get(index);
      if (!fate) return [recipient];
      return fate.kind === 'waits' ? [fate.recipient] : [];
    });
    if (left.length === 0) return this.#acknowledger.finished(held);
    const isUnfinished = left.length === parcel.recipients.length;
    // The shard's next owner gets it redelivered: a copy here would be a duplicate.
    if (held.lost && isUnfinished) return void this.#acknowledger.giveBack(held, null);
    try {
      await this.#put(held, [{ ...parcel, recipients: left }]);
    } catch (error) {
      // As long as nobody has it, its stream is as good a place; what is lost is the count of an attempt.
      if (!isUnfinished || held.lost) throw error;
      if (!this.#acknowledger.giveBack(held, this.#untilDue(left))) throw error;
    }
  }

  /** How long a deferred parcel that goes back to its stream stays there, in ms. */
  #untilDue(recipients: readonly Recipient[]): number {
    const due = Math.min(...recipients.map(({ dueAt }) => dueAt ?? 0));
    return Math.max(GIVE_BACK_MS, due - this.#clock.now());
  }

  async #put(held: Held, parcels: readonly Parcel[]): Promise<void> {
    const pulled = { ...this.#pulledAs(held), hopIds: parcels.map(({ hopId }) => hopId) };
    this.#acknowledger.mark(held, pulled);
    try {
      failpoint('delivery.spooling');
      const puts = parcels.map((parcel): SpoolChange => ({ kind: 'put', parcel }));
      await this.#spool.commit([...puts, { kind: 'pulled', id: held.hopId, pulled }]);
      failpoint('delivery.spooled');
    } catch (error) {
      this.#acknowledger.mark(held, null);
      this.#refused(error as Error);
      throw error;
    }
    this.#acknowledger.afterSpooling(held);
  }

  async #settleSpooled(hopId: HopId, fates: readonly Settled[]): Promise<void> {
    const changes = fates.flatMap(({ index, fate }): SpoolChange[] => {
      if (fate.kind !== 'waits') return [{ kind: 'remove', hopId, index }];
      return fate.counted ? [{ kind: 'update', hopId, index, recipient: fate.recipient }] : [];
    });
    if (changes.length) await this.#spool.commit(changes);
    failpoint('delivery.recorded');
  }

  /** A bounce that cannot be published now makes its recipient wait for that. */
  async #withBounces(header: Header, settled: readonly Settled[], message: () => Buffer): Promise<Settled[]> {
    const now = this.#clock.now();
    return Promise.all(
      settled.map(async (one) => {
        const { fate } = one;
        if (fate.kind !== 'bounced' && fate.kind !== 'expired') return one;
        if (await this.#publishBounce(header, one, message)) return one;
        const recipient = awaitingBounce(one.recipient, fate, now);
        return { ...one, fate: { kind: 'waits', recipient, counted: true } as const };
      }),
    );
  }

  async #persist(hopId: HopId, write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch (error) {
      this.#homeless++;
      this.#log.error(
        { hopId, err: error },
        'a result has no durable place: no new attempt starts until it has',
      );
      await this.#retry(hopId, write);
    }
  }

  async #retry(hopId: HopId, write: () => Promise<void>): Promise<void> {
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      try {
        await write();
        break;
      } catch (error) {
        this.#log.warn({ hopId, err: error }, 'the result still has no durable place');
      }
    }
    this.#homeless--;
  }
}
