// Runs attempts: as many as there is room for, in the scheduler's order, and only while results have a durable place.
import type { Log } from '../../process/log.ts';
import type { HopId, Parcel, Recipient } from '../message/parcel.ts';
import type { Spool } from '../spool/port.ts';
import type { Busy } from './busy.ts';
import type { Hand } from './hand.ts';
import type { AttemptResult, Clock, Policy, Sender, Task, Verdict } from './ports.ts';
import { fateOf, meaningOf } from './results.ts';
import type { Scheduler } from './scheduler.ts';
import type { Header, Settled, Settler } from './settle.ts';
import type { Suppression } from './suppression.ts';

export interface AttemptParts {
  readonly scheduler: Scheduler;
  readonly sender: Sender;
  readonly settler: Settler;
  readonly suppression: Suppression;
  readonly hand: Hand;
  readonly spool: Spool;
  readonly busy: Busy;
  readonly clock: Clock;
  readonly log: Log;
  readonly policy: () => Policy;
  readonly random: () => number;
  readonly observe: (task: Task, result: AttemptResult) => void;
  /** A task has ended, one way or another. */
  readonly ended: () => void;
}

interface Loaded {
  readonly header: Header;
  readonly parcel: Omit<Parcel, 'recipients'>;
  readonly recipients: readonly { readonly index: number; readonly recipient: Recipient }[];
}

/** How long a site is left alone that asked us to send less. */
const RATE_LIMITED_MS = 60_000;

/** How long the whole site must wait because of a verdict, in ms; 0: not at all. */
function siteWaitMs(verdict: Verdict): number {
  if (verdict.kind === 'noRoom') return verdict.retryAfterSeconds * 1000;
  if (verdict.kind !== 'reply') return 0;
  const meaning = meaningOf(verdict.reply, verdict.phase);
  return meaning.kind === 'deferred' && meaning.scope === 'provider' ? RATE_LIMITED_MS : 0;
}

/** Most attempts of this pod under way at once: each may hold a message in memory. */
const MOST_ACTIVE = 400;

export class Attempts {
  readonly #parts: AttemptParts;
  #stopped = false;
  #inFlight = 0;
  #wake: NodeJS.Timeout | null = null;

  constructor(parts: AttemptParts) {
    this.#parts = parts;
  }

  /** Attempts under way, until their results are durable. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Starts every attempt that may start now. */
  pump(): void {
    const { scheduler, settler, suppression, clock } = this.#parts;
    while (
      !this.#stopped &&
      settler.homeless === 0 &&
      suppression.available &&
      this.#inFlight < MOST_ACTIVE
    ) {
      const task = scheduler.next(clock.now());
      if (!task) break;
      void this.#run(task);
    }
    this.#wakeAt(scheduler.nextWake());
  }

  /** Starts nothing more. */
  stop(): void {
    this.#stopped = true;
    if (this.#wake) clearTimeout(this.#wake);
  }

  #wakeAt(at: number | null): void {
    if (this.#wake) clearTimeout(this.#wake);
    this.#wake = null;
    if (at === null || this.#stopped) return;
    const wait = Math.min(60_000, Math.max(10, at - this.#parts.clock.now()));
    this.#wake = setTimeout(() => this.pump(), wait);
    this.#wake.unref();
  }

  async #run(task: Task): Promise<void> {
    const { scheduler, busy, clock, log, hand } = this.#parts;
    const held = hand.get(task.hopId);
    if (held) held.attempting = true;
    this.#inFlight++;
    let again = false;
    try {
      again = (await this.#attempt(task)) === 'again';
    } catch (error) {
      log.error(
        { hopId: task.hopId, err: error },
        'an attempt failed in an unforeseen way; its recipients stay as they are',
      );
    } finally {
      this.#inFlight--;
      if (held) held.attempting = false;
      if (!again) busy.delete(task.hopId, task.indexes);
      scheduler.done(task.site, clock.now());
      if (again) scheduler.offer(task, 1);
      this.#parts.ended();
      this.pump();
    }
  }

  /** `again`: there was no connection to be had; nothing has changed, and the task goes back into the queue. */
  async #attempt(task: Task): Promise<'again' | undefined> {
    const { suppression, settler } = this.#parts;
    const loaded = this.#load(task);
    if (!loaded) return undefined;
    const { header, recipients } = loaded;
    const suppressed = await suppression
      .check(
        header.account,
        recipients.map(({ recipient }) => recipient.address),
      )
      .catch(() => null);
    if (!suppressed) {
      await this.#putAside(task.hopId);
      return undefined;
    }
    const open = recipients.filter((_, at) => !suppressed[at]);
    const settled: Settled[] = recipients
      .filter((_, at) => suppressed[at])
      .map(({ index, recipient }) => ({ index, recipient, fate: { kind: 'suppressed' } }));
    if (open.length) settled.push(...(await this.#send(task, loaded, open)));
    if (settled.every(({ fate }) => fate.kind === 'waits' && !fate.counted))
      return this.#stopped ? undefined : 'again';
    await settler.settle(task.hopId, header, settled);
    return undefined;
  }

  async #send(task: Task, loaded: Loaded, open: Loaded['recipients']): Promise<Settled[]> {
    const { sender, scheduler, clock, policy, random, observe } = this.#parts;
    const addresses = open.map(({ recipient }) => recipient.address);
    const sticky = open.find(({ recipient }) => recipient.stickySource)?.recipient.stickySource ?? null;
    const result = await sender.send(task, loaded.parcel, addresses, sticky);
    observe(task, result);
    const { host, provider, source } = result;
    const now = clock.now();
    const waitMs = Math.max(...result.verdicts.map(siteWaitMs));
    if (waitMs > 0) scheduler.refused(task.site, now, waitMs);
    const at = {
      policy: policy(),
      now,
      acceptedAt: loaded.header.acceptedAt,
      source,
      random,
    };
    return open.map(({ index, recipient }, position) => {
      const verdict: Verdict = result.verdicts[position] ?? { kind: 'failed', why: '4.3.0 no result' };
      return { index, recipient, fate: fateOf(recipient, verdict, at), host, provider, source };
    });
  }

  /** The parcel of a task, from memory or the spool; null when it has gone. */
  #load(task: Task): Loaded | null {
    const { hand, spool } = this.#parts;
    const inHand = hand.get(task.hopId)?.parcel;
    if (inHand) {
      const recipients = inHand.recipients.map((recipient, index) => ({ index, recipient }));
      return { header: inHand, parcel: inHand, recipients };
    }
    const spooled = spool.parcel(task.hopId);
    if (!spooled || spooled.moving) return null;
    const wanted = new Set(task.indexes);
    const recipients = spool.entriesOf(task.hopId).filter(({ index }) => wanted.has(index));
    if (recipients.length === 0) return null;
    return {
      header: spooled.header,
      parcel: { ...spooled.header, message: spool.message(task.hopId) },
      recipients,
    };
  }

  /** Suppression cannot be asked: the parcel waits in the spool; nothing goes to an unchecked recipient. */
  async #putAside(hopId: HopId): Promise<void> {
    const held = this.#parts.hand.get(hopId);
    if (held?.parcel) await this.#parts.settler.spoolHeld(held).catch(() => {}); // stays in hand; the sweep tries again
  }
}
