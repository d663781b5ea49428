// Copies of which nobody knows whether they are the only ones. What is pulled is written to the spool and then acknowledged; a process that ends
// in between leaves copies here and the publish in its shard. If this volume's pod goes on working the shard, the publish comes again and
// the copies are ours: *claimed*, which is to put it on record as acknowledged. But when the shard has gone to another pod since, that one has sent
// the parcels, or will, and copies sent here as well would be duplicates. So they are *given back*: published to their shard under the
// hop ids that they have, and erased here. Whoever works the shard knows the ids, or takes the copies for what they are. Nothing is lost by
// that, for an id is in no shard's memory before its publish is on record as acknowledged. Until either is done nothing is begun with the
// copies, and what comes under their ids is not acknowledged.
import type { Log } from '../../process/log.ts';
import { mailStream, mailSubject, poolKey, TRANSFER_CLASS } from '../bus/names.ts';
import type { Assignment } from '../bus/snapshot.ts';
import { BundleWriter } from '../message/bundle.ts';
import type { HopId, Parcel } from '../message/parcel.ts';
import { CorruptRecordError } from '../spool/errors.ts';
import type { Pulled, Spool, SpoolChange } from '../spool/port.ts';
import type { Busy } from './busy.ts';
import { REMEMBERED_MS, type Remembered } from './memory/memory.ts';
import type { Clock, Publish } from './ports.ts';

/** Whose copies are: ours alone, also the business of a pod that has had the shard since, or nobody can say yet. */
export type Belonging = 'ours' | 'theirs' | 'unknown';

/** Pure. @param assignment the present one; null: it is not known. @param uid of this pod, on whose volume the copies are. */
export function belongingOf(pulled: Pulled, assignment: Assignment | null, uid: string): Belonging {
  if (!assignment) return 'unknown';
  const shard = assignment.shards.find((one) => one.shard === pulled.shard);
  // Shards never become fewer: this one went with the pool that it was of, and everything in it.
  if (!shard) return 'ours';
  const { epoch, former, owner } = shard;
  if (!owner) return 'unknown';
  // The assignment still names the pod whose volume we have: we come next, or another.
  if (owner.uid !== uid) return owner.uid === pulled.uid ? 'unknown' : 'theirs';
  const wentOn = pulled.uid === uid && epoch === pulled.epoch;
  const tookOver = former?.uid === pulled.uid && epoch === pulled.epoch + 1;
  return wentOn || tookOver ? 'ours' : 'theirs';
}

export interface DoubtParts {
  readonly spool: Spool;
  readonly memory: Pick<Remembered, 'remember'>;
  readonly publish: Publish;
  readonly busy: Busy;
  readonly clock: Clock;
  readonly uid: string;
  readonly log: Log;
  /** So many recipients are given back whose parcel may have been sent longer ago than anybody remembers. */
  readonly possiblyRepeated: (recipients: number) => void;
}

const RETRY_MS = 5000;

export class Doubts {
  readonly #parts: DoubtParts;
  /** By the id of the publish. */
  readonly #open: Map<HopId, Pulled>;
  readonly #copies = new Set<HopId>();
  #running: Promise<void> | null = null;
  #stopped = false;
  #notBefore = 0;

  constructor(parts: DoubtParts) {
    this.#parts = parts;
    this.#open = new Map(parts.spool.pulled());
    for (const { hopIds } of this.#open.values()) for (const hopId of hopIds) this.#copies.add(hopId);
  }

  /** Whether the copy of a parcel is in doubt. */
  has(hopId: HopId): boolean {
    return this.#copies.has(hopId);
  }

  /** Whether there is one that was pulled of the shard. */
  hasOf(shard: number): boolean {
    return [...this.#open.values()].some((pulled) => pulled.shard === shard);
  }

  /** The acknowledgement of a publish is given up, because its shard has another owner. */
  add(id: HopId, pulled: Pulled): void {
    this.#open.set(id, pulled);
    for (const hopId of pulled.hopIds) this.#copies.add(hopId);
  }

  /** Judges and settles what can be; to be called again and again. @param assignment known to be the present one, or null */
  step(assignment: Assignment | null): void {
    const { clock, log } = this.#parts;
    if (this.#running || this.#stopped || this.#open.size === 0 || clock.monotonic() < this.#notBefore)
      return;
    this.#running = this.#settle(assignment)
      .catch((error: unknown) => {
        this.#notBefore = clock.monotonic() + RETRY_MS;
        log.warn({ publishes: this.#open.size, err: error }, 'copies in doubt cannot be settled yet');
      })
      .finally(() => {
        this.#running = null;
      });
  }

  /** Resolves when everything was tried that can be settled under the assignment. */
  async settled(assignment: Assignment | null): Promise<void> {
    await this.#running;
    this.step(assignment);
    await this.#running;
  }

  /** Begins nothing more. */
  stop(): void {
    this.#stopped = true;
  }

  async #settle(assignment: Assignment | null): Promise<void> {
    const judged = [...this.#open].map(([id, pulled]) => {
      return { id, pulled, belonging: belongingOf(pulled, assignment, this.#parts.uid) };
    });
    await this.#claim(judged.filter(({ belonging }) => belonging === 'ours'));
    for (const { id, pulled, belonging } of judged)
      if (belonging === 'theirs' && !this.#stopped) await this.#giveBack(id, pulled);
  }

  async #claim(ours: readonly { readonly id: HopId; readonly pulled: Pulled }[]): Promise<void> {
    const { spool, memory } = this.#parts;
    if (ours.length === 0) return;
    await spool.commit(ours.map(({ id }) => ({ kind: 'pulled', id, pulled: null })));
    for (const { id, pulled } of ours) {
      this.#close(id);
      for (const hopId of pulled.hopIds) memory.remember(pulled.shard, hopId);
    }
  }

  async #giveBack(id: HopId, pulled: Pulled): Promise<void> {
    const { spool, memory, publish, busy, log, clock, possiblyRepeated } = this.#parts;
    const { shard, epoch, at, hopIds } = pulled;
    // What is under way ends first.
    if (hopIds.some((hopId) => busy.hasAny(hopId))) return;
    const copies = hopIds.flatMap((hopId) => this.#copy(hopId) ?? []);
    const [first] = copies;
    // Behind the others, should it fail: they must not wait for it for ever.
    this.#open.delete(id);
    this.#open.set(id, pulled);
    if (first) {
      const key = poolKey(first.pool);
      const bundle = new BundleWriter();
      for (const copy of copies) bundle.add(copy);
      // An id of its own for the stream, which may know the publish's: it would say "duplicate" of what it has let go already.
      const messageId = `${id}-${epoch}-${at}`;
      await publish(
        mailSubject(key, shard, TRANSFER_CLASS),
        bundle.take(),
        messageId,
        mailStream(key, shard),
      );
    }
    const erased = copies.map(({ hopId }): SpoolChange => ({ kind: 'giveBack', hopId }));
    await spool.commit([...erased, { kind: 'pulled', id, pulled: null }]);
    this.#close(id);
    // What has ended here is nobody's to send, whoever has the shard.
    for (const hopId of hopIds) if (spool.knows(hopId) === 'finished') memory.remember(shard, hopId);
    if (clock.now() - at > REMEMBERED_MS)
      possiblyRepeated(copies.reduce((sum, { recipients }) => sum + recipients.length, 0));
    log.info(
      { shard, parcels: copies.length, first: first?.hopId },
      'copies in doubt are back in their shard',
    );
  }

  /** Null: it has ended, by an attempt of before, or is damaged, and stays like any other that nobody can send. */
  #copy(hopId: HopId): Parcel | null {
    const { spool, log } = this.#parts;
    const parcel = spool.parcel(hopId);
    // One that is marked completes its hand-over, which may be stored already.
    if (!parcel || parcel.moving) return null;
    try {
      const recipients = spool.entriesOf(hopId).map(({ recipient }) => recipient);
      return { ...parcel.header, recipients, message: spool.message(hopId) };
    } catch (error) {
      if (!(error instanceof CorruptRecordError)) throw error;
      log.error({ hopId, err: error }, 'a copy in doubt cannot be read, and is not given back');
      return null;
    }
  }

  #close(id: HopId): void {
    for (const hopId of this.#open.get(id)?.hopIds ?? []) this.#copies.delete(hopId);
    this.#open.delete(id);
  }
}
