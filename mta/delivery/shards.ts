// The shards this pod works: begins and ends their pulls as the assignment says, and gives up what it is asked to.
import type { JetStreamClient } from '@nats-io/jetstream';
import type { Log } from '../../process/log.ts';
import { mailStream, type PoolKey, TRANSFER_CLASS } from '../bus/names.ts';
import type { Budget } from './budget.ts';
import type { Hand, Held } from './hand.ts';
import type { Duties, OwnedShard } from './ownership.ts';
import type { MailMessage } from './ports.ts';
import { pull } from './pull.ts';

export interface ShardParts {
  readonly js: () => JetStreamClient | null;
  readonly poolKey: PoolKey;
  readonly budget: Budget;
  readonly hand: Hand;
  readonly log: Log;
  readonly take: (message: MailMessage, shard: number) => boolean;
  /** Writes a parcel in hand to the spool and acknowledges it; rejects when it cannot be written. */
  readonly spool: (held: Held) => Promise<void>;
  /** Keeps a former owner from sending; resolves when that is certain. */
  readonly fence: (shard: OwnedShard, formerUid: string, signal: AbortSignal) => Promise<void>;
}

interface Worked {
  readonly epoch: number;
  readonly classes: string;
  readonly stop: AbortController;
}

const RETRY_MS = 1000;

export class Shards {
  readonly #parts: ShardParts;
  readonly #worked = new Map<number, Worked>();
  readonly #givingUp = new Map<number, number>();

  constructor(parts: ShardParts) {
    this.#parts = parts;
  }

  /** Does as the duties say, at once: when it returns, no message of a shard that is not ours any more is taken in. */
  follow(duties: Duties, classes: readonly string[]): void {
    const wanted = new Map(duties.shards.map((shard) => [shard.shard, shard]));
    const key = [...classes, TRANSFER_CLASS].join(' ');
    for (const [shard, { epoch, stop, classes: before }] of this.#worked) {
      if (wanted.get(shard)?.epoch === epoch && before === key) continue;
      stop.abort();
      this.#worked.delete(shard);
      if (duties.releasing.has(shard)) void this.#giveUp(shard, epoch);
      else if (!wanted.has(shard)) this.#drop(shard);
    }
    // What was pulled before a restart of the assignment's view, and is to be given up as well.
    for (const shard of duties.releasing)
      if (this.#parts.hand.unacknowledged(shard)) void this.#giveUp(shard, 0);
    // Without a connection there is nothing to begin; `follow` is called again when there is one.
    if (!this.#parts.js()) return;
    for (const shard of wanted.values()) if (!this.#worked.has(shard.shard)) this.#begin(shard, classes, key);
  }

  /** The shards in hold, with what is unacknowledged of each. */
  held(): { readonly shard: number; readonly epoch: number; readonly unacknowledged: number }[] {
    const epochs = new Map<number, number>(this.#givingUp);
    for (const [shard, { epoch }] of this.#worked) epochs.set(shard, epoch);
    for (const { shard } of this.#parts.hand.values()) if (!epochs.has(shard)) epochs.set(shard, 0);
    return [...epochs]
      .sort(([a], [b]) => a - b)
      .map(([shard, epoch]) => ({ shard, epoch, unacknowledged: this.#parts.hand.unacknowledged(shard) }));
  }

  /** Ends all pulls; what is in hand stays there. */
  stop(): void {
    for (const { stop } of this.#worked.values()) stop.abort();
    this.#worked.clear();
  }

  #begin(shard: OwnedShard, classes: readonly string[], key: string): void {
    const stop = new AbortController();
    this.#worked.set(shard.shard, { epoch: shard.epoch, classes: key, stop });
    void this.#work(shard, classes, stop.signal);
  }

  async #work(owned: OwnedShard, classes: readonly string[], signal: AbortSignal): Promise<void> {
    const { js, budget, log, poolKey, fence, take } = this.#parts;
    if (owned.fence) await fence(owned, owned.fence, signal);
    const client = js();
    if (signal.aborted || !client) return;
    for (const name of [...classes, TRANSFER_CLASS]) {
      const stream = mailStream(poolKey, owned.shard);
      const parts = { js: client, budget, log, stream, consumer: name, priorityClass: name };
      void pull({ ...parts, take: (message) => take(message, owned.shard) }, signal);
    }
  }

  /** Everything pulled of the shard goes to the spool and is acknowledged; attempts under way go on from there. */
  async #giveUp(shard: number, epoch: number): Promise<void> {
    if (this.#givingUp.has(shard)) return;
    this.#givingUp.set(shard, epoch);
    const { hand, spool, log } = this.#parts;
    while (hand.unacknowledged(shard) > 0) {
      const open = [...hand.values()].filter((held) => held.shard === shard && held.parcel);
      const failed = await Promise.allSettled(open.map(spool)).then((all) =>
        all.find((one) => one.status === 'rejected'),
      );
      if (failed)
        log.warn({ shard, err: failed.reason }, 'the spool cannot be written; the shard is not given up yet');
      await new Promise((resolve) => setTimeout(resolve, failed ? RETRY_MS : 20));
    }
    this.#givingUp.delete(shard);
  }

  /**
   * The shard has another owner already, who gets its unacknowledged mail redelivered: a copy kept here would be a duplicate.
   * What an attempt is under way for stays, so that a 250 that still comes is acknowledged.
   */
  #drop(shard: number): void {
    const { hand, budget } = this.#parts;
    for (const held of [...hand.values()]) {
      if (held.shard !== shard || held.attempting) continue;
      hand.remove(held);
      budget.release(1);
    }
  }
}
