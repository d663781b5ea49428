// The shards this pod works: begins and ends their pulls as the assignment says, and gives up what it is asked to.
import type { JsMsg } from '@nats-io/jetstream';
import { failpoint } from '../../process/failpoint.ts';
import type { Log } from '../../process/log.ts';
import type { Bus } from '../bus/client.ts';
import { mailStream, type PoolKey, TRANSFER_CLASS } from '../bus/names.ts';
import type { Budget } from './budget.ts';
import { type Fence, Gate, type Passage } from './gate.ts';
import { type Hand, type Held, inTurn } from './hand.ts';
import type { Incarnations } from './incarnation.ts';
import type { ShardMemory } from './memory/memory.ts';
import { mailMessage, type Origin } from './message.ts';
import type { Duties, OwnedShard } from './ownership.ts';
import type { MailMessage } from './ports.ts';
import { pull } from './pull.ts';

export interface ShardParts {
  readonly bus: () => Pick<Bus, 'js' | 'nc'> | null;
  readonly poolKey: PoolKey;
  readonly budget: Budget;
  readonly hand: Hand;
  readonly memory: Pick<ShardMemory, 'load' | 'flush' | 'forget'>;
  readonly log: Log;
  readonly take: (message: MailMessage, shard: number, passage: Passage) => boolean;
  /** Writes a parcel in hand to the spool and acknowledges it; rejects when it cannot be written. */
  readonly spool: (held: Held) => Promise<void>;
  /** Puts a parcel out of the hand that another pod gets redelivered; a copy of it is in doubt from then on. */
  readonly letGo: (held: Held) => void;
  readonly hasDoubts: (shard: number) => boolean;
  /** Resolves when the memory knows of every confirmed acknowledgement, and of the copies that are ours. */
  readonly recorded: () => Promise<void>;
  readonly fence: Fence;
  readonly incarnations: Pick<Incarnations, 'check' | 'connection'>;
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
  /** Each time another object: one that a cancelled drain has ended must not end the next. */
  readonly #givingUp = new Map<number, { readonly epoch: number }>();
  readonly #gates = new Map<number, Gate>();

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
    // What was pulled before a restart of the assignment's view, or of this process, and is to be given up as well.
    for (const shard of duties.releasing)
      if (this.#parts.hand.unacknowledged(shard) || this.#parts.hasDoubts(shard)) void this.#giveUp(shard, 0);
    for (const shard of this.#givingUp.keys())
      if (!duties.releasing.has(shard)) this.#notGivenUp(shard, wanted.has(shard));
    // Without a connection there is nothing to begin; `follow` is called again when there is one.
    if (!this.#parts.bus()) return;
    for (const shard of wanted.values()) if (!this.#worked.has(shard.shard)) this.#begin(shard, classes, key);
  }

  /** The shards in hold, with what is unacknowledged of each. */
  held(): { readonly shard: number; readonly epoch: number; readonly unacknowledged: number }[] {
    const epochs = new Map<number, number>();
    for (const [shard, { epoch }] of [...this.#givingUp, ...this.#worked]) epochs.set(shard, epoch);
    for (const { shard } of this.#parts.hand.values()) if (!epochs.has(shard)) epochs.set(shard, 0);
    return [...epochs]
      .sort(([a], [b]) => a - b)
      .map(([shard, epoch]) => ({ shard, epoch, unacknowledged: this.#parts.hand.unacknowledged(shard) }));
  }

  /** Ends all pulls; what is in hand stays there. */
  stop(): void {
    for (const { stop } of this.#worked.values()) stop.abort();
    for (const gate of this.#gates.values()) gate.abandon();
    this.#worked.clear();
    this.#givingUp.clear();
  }

  #begin(owned: OwnedShard, classes: readonly string[], key: string): void {
    const { shard, epoch } = owned;
    const stop = new AbortController();
    this.#worked.set(shard, { epoch, classes: key, stop });
    void this.#pull(owned.shard, this.#gateOf(owned), classes, stop.signal);
  }

  /** What the owners before have acknowledged is known before anything is pulled: any mail may be a repeat of theirs. */
  async #pull(shard: number, gate: Gate, classes: readonly string[], signal: AbortSignal): Promise<void> {
    const { bus, budget, log, poolKey, memory, take, incarnations } = this.#parts;
    const connected = bus();
    if (!connected || !(await memory.load(shard, signal))) return;
    failpoint('delivery.taken-over');
    const stream = mailStream(poolKey, shard);
    const isPulled = () => this.#worked.has(shard);
    for (const name of [...classes, TRANSFER_CLASS]) {
      const parts = {
        js: connected.js,
        budget,
        log,
        stream,
        consumer: name,
        priorityClass: name,
        incarnations,
      };
      const adopt = (message: JsMsg, origin: Origin) => mailMessage(connected.nc, message, origin, isPulled);
      const admit = (message: MailMessage) => take(message, shard, gate.passage(message.deliveries));
      void pull({ ...parts, adopt, take: admit }, signal);
    }
  }

  #gateOf(owned: OwnedShard): Gate {
    const { fence, log } = this.#parts;
    const known = this.#gates.get(owned.shard);
    if (known?.fits(owned)) {
      known.epoch = owned.epoch;
      return known;
    }
    known?.abandon();
    const gate = new Gate(owned, fence, (error) =>
      log.error({ ...owned, err: error }, 'fencing failed; redelivered mail of the shard is held back'),
    );
    this.#gates.set(owned.shard, gate);
    return gate;
  }

  /**
   * Everything pulled of the shard goes to the spool and is acknowledged; attempts under way go on from there. A fence that is owed
   * is settled before: the next owner is told that we state, and does not fence the one before us. And what we acknowledged is durable
   * before, for the next owner must know it.
   */
  async #giveUp(shard: number, epoch: number): Promise<void> {
    if (this.#givingUp.has(shard)) return;
    const turn = { epoch };
    this.#givingUp.set(shard, turn);
    const { hand, spool, log } = this.#parts;
    const goesOn = () => this.#givingUp.get(shard) === turn && !this.#worked.has(shard);
    while (goesOn() && hand.unacknowledged(shard) > 0) {
      const open = [...hand.values()].filter((held) => held.shard === shard && held.parcel);
      const failed = await Promise.allSettled(open.map(spool)).then((all) =>
        all.find((one) => one.status === 'rejected'),
      );
      if (failed)
        log.warn({ shard, err: failed.reason }, 'the spool cannot be written; the shard is not given up yet');
      await new Promise((resolve) => setTimeout(resolve, failed ? RETRY_MS : 20));
    }
    await this.#gates.get(shard)?.settled;
    while (goesOn() && !(await this.#remembered(shard)))
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    if (!goesOn()) return;
    this.#parts.memory.forget(shard);
    this.#givingUp.delete(shard);
    this.#gates.delete(shard);
  }

  async #remembered(shard: number): Promise<boolean> {
    try {
      await this.#parts.recorded();
      await this.#parts.memory.flush(shard);
      return true;
    } catch (error) {
      this.#parts.log.warn(
        { shard, err: error },
        'the memory of a shard cannot be written; it is not given up yet',
      );
      return false;
    }
  }

  /** The shard is not to be given up any more: it is ours again (a cancelled drain), or was taken away meanwhile. */
  #notGivenUp(shard: number, ours: boolean): void {
    this.#givingUp.delete(shard);
    if (!ours) this.#drop(shard);
  }

  /**
   * The shard has another owner already, who gets its unacknowledged mail redelivered: a copy kept here would be a duplicate.
   * What an attempt is under way for stays, so that a 250 that still comes is acknowledged; so does what has ended and only waits for the
   * confirmation of its acknowledgement.
   */
  #drop(shard: number): void {
    const { hand, letGo, memory } = this.#parts;
    memory.forget(shard);
    this.#gates.get(shard)?.abandon();
    this.#gates.delete(shard);
    for (const held of [...hand.values()]) {
      if (held.shard !== shard) continue;
      held.lost = true;
      // After a write to the spool that is under way: whether there is a copy is known then.
      void inTurn(held, async () => {
        if (held.lost && !(held.parcel && held.attempting)) letGo(held);
      });
    }
  }
}
