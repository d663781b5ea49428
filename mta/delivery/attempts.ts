// Runs attempts: as many as there is room for, in the scheduler's order, and only while results have a durable place.
import { failpoint } from '../../process/failpoint.ts';
import type { Log } from '../../process/log.ts';
import type { HopId, Parcel, Recipient } from '../message/parcel.ts';
import { CorruptRecordError } from '../spool/errors.ts';
import type { Spool } from '../spool/port.ts';
import type { Busy } from './busy.ts';
import type { Hand } from './hand.ts';
import type { AttemptResult, Clock, Policy, Sender, Task, Verdict } from './ports.ts';
import { type Fate, fateOf, meaningOf } from './results.ts';
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
  /** Nothing is to be begun with a copy in the spool: it is still in hand, or in doubt. */
  readonly heldBack: (hopId: HopId) => boolean;
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
  /** Null: the message cannot be read. */
  readonly parcel: Omit<Parcel, 'recipients'> | null;
  readonly recipients: readonly { readonly index: number; readonly recipient: Recipient }[];
}

/** How long a site is left alone that asked us to send less. */
const RATE_LIMITED_MS = 60_000;

/** How long the whole site must wait because of a verdict, in ms; 0: not at all. */
function siteWaitMs(verdict: Verdict): number {
  if (verdict.kind === 'noRoom') return verdict.returns ? 0 : verdict.retryAfterSeconds * 1000;
  if (verdict.kind !== 'reply') return 0;
  const meaning = meaningOf(verdict.reply, verdict.phase);
  return meaning.kind === 'deferred' && meaning.scope === 'provider' ? RATE_LIMITED_MS : 0;
}

/** How long the recipients themselves wait for the address they return from; 0: they do not. */
function returnWaitMs([first]: readonly Verdict[]): number {
  return first?.kind === 'noRoom' && first.returns ? Math.max(RETURN_MS, first.retryAfterSeconds * 1000) : 0;
}

/** How long recipients are left alone after an error that nobody foresaw: repeating it at once would only eat the CPU. */
const REST_MS = 60_000;
/** How soon what waits for the address it returns from asks again at the earliest. */
const RETURN_MS = 5_000;
/** And after a verdict that the policy has no answer for. */
const UNDECIDED_MS = 900_000;

/**
 * What becomes of a task that has run: nothing, as its recipients have changed; `again`: there was no connection to be had, and it goes back
 * into the queue as it is; or its recipients are left alone for a while.
 */
type Next = 'again' | { readonly restMs: number } | undefined;

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
    let outcome: Next;
    try {
      outcome = await this.#attempt(task);
    } catch (error) {
      outcome = { restMs: REST_MS };
      log.error(
        { hopId: task.hopId, err: error },
        'an attempt failed in an unforeseen way; its recipients stay as they are',
      );
    }
    this.#inFlight--;
    if (held) held.attempting = false;
    if (!outcome) busy.delete(task.hopId, task.indexes);
    else if (outcome !== 'again') busy.rest(task.hopId, task.indexes, outcome.restMs);
    scheduler.done(task.site, clock.now());
    if (outcome === 'again') scheduler.offer(task, 1);
    this.#parts.ended();
    this.pump();
  }

  async #attempt(task: Task): Promise<Next> {
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
    // Nothing goes to an unchecked recipient.
    if (!suppressed) {
      await this.#putAside(task.hopId);
      return undefined;
    }
    if (!loaded.parcel) {
      const verdict: Verdict = { kind: 'failed', why: '4.3.0 the message cannot be read from the spool' };
      const fates = recipients.map((one) => ({
        ...one,
        fate: this.#fate(one.recipient, verdict, header, null),
      }));
      await settler.settle(task.hopId, header, fates);
      return undefined;
    }
    const open = recipients.filter((_, at) => !suppressed[at]);
    let restMs = 0;
    const settled: Settled[] = recipients
      .filter((_, at) => suppressed[at])
      .map(({ index, recipient }) => ({ index, recipient, fate: { kind: 'suppressed' } }));
    if (open.length) {
      const sent = await this.#send(task, header, loaded.parcel, open);
      settled.push(...sent.settled);
      restMs = sent.restMs;
    }
    const isChanged = !settled.every(({ fate }) => fate.kind === 'waits' && !fate.counted);
    if (isChanged) await settler.settle(task.hopId, header, settled);
    else if (!this.#stopped && restMs === 0) return 'again';
    if (restMs === 0 || this.#stopped) return undefined;
    await this.#putAside(task.hopId);
    return { restMs };
  }

  /** Between the return of `send` and the record of what it brought nothing may throw: a 250 would be forgotten. */
  async #send(
    task: Task,
    header: Header,
    parcel: Omit<Parcel, 'recipients'>,
    open: Loaded['recipients'],
  ): Promise<{ readonly settled: readonly Settled[]; readonly restMs: number }> {
    const { sender } = this.#parts;
    const addresses = open.map(({ recipient }) => recipient.address);
    const sticky = open.find(({ recipient }) => recipient.stickySource)?.recipient.stickySource ?? null;
    const avoid = open.find(({ recipient }) => recipient.avoidSource)?.recipient.avoidSource ?? null;
    const inHand = this.#parts.hand.get(task.hopId)?.parcel != null;
    failpoint(inHand ? 'delivery.fast-attempt' : 'delivery.spool-attempt');
    const want = addresses.length + this.#parts.scheduler.shareOf(task.site);
    const result = await sender.send(task, parcel, addresses, { sticky, avoid }, want);
    failpoint(inHand ? 'delivery.fast-replied' : 'delivery.spool-replied');
    this.#note(task, result);
    const { host, provider, source } = result;
    const settled = open.map(({ index, recipient }, position) => {
      const verdict: Verdict = result.verdicts[position] ?? { kind: 'failed', why: '4.3.0 no result' };
      return {
        index,
        recipient,
        fate: this.#fate(recipient, verdict, header, source),
        host,
        provider,
        source,
      };
    });
    return { settled, restMs: returnWaitMs(result.verdicts) };
  }

  /** Counts a result and tells the scheduler what it means for the site. */
  #note(task: Task, result: AttemptResult): void {
    const { scheduler, clock, observe, log } = this.#parts;
    try {
      observe(task, result);
      const waitMs = Math.max(...result.verdicts.map(siteWaitMs));
      if (waitMs > 0) scheduler.refused(task.site, clock.now(), waitMs);
    } catch (error) {
      log.error({ hopId: task.hopId, err: error }, 'a result is not counted');
    }
  }

  #fate(recipient: Recipient, verdict: Verdict, { acceptedAt }: Header, source: string | null): Fate {
    const { clock, policy, random, log } = this.#parts;
    const now = clock.now();
    try {
      return fateOf(recipient, verdict, { policy: policy(), now, acceptedAt, source, random });
    } catch (error) {
      log.error({ err: error }, 'a verdict has no fate under this policy; the recipient waits');
      const dueAt = now + UNDECIDED_MS;
      const attempts = recipient.attempts + 1;
      return { kind: 'waits', counted: true, recipient: { ...recipient, attempts, dueAt } };
    }
  }

  /** The parcel of a task, from memory or the spool; null when it has gone. */
  #load(task: Task): Loaded | null {
    const { hand, spool, heldBack } = this.#parts;
    const wanted = new Set(task.indexes);
    const inHand = hand.get(task.hopId)?.parcel;
    if (inHand) {
      const recipients = inHand.recipients.map((recipient, index) => ({ index, recipient }));
      return {
        header: inHand,
        parcel: inHand,
        recipients: recipients.filter(({ index }) => wanted.has(index)),
      };
    }
    // The feed brings it again.
    if (heldBack(task.hopId)) return null;
    const spooled = spool.parcel(task.hopId);
    if (!spooled || spooled.moving) return null;
    const recipients = spool.entriesOf(task.hopId).filter(({ index }) => wanted.has(index));
    if (recipients.length === 0) return null;
    return { header: spooled.header, parcel: this.#read(spooled.header, task.hopId), recipients };
  }

  /** A damaged message waits and expires like one that nobody takes: its sender gets a bounce, and people the record. */
  #read(header: Header, hopId: HopId): Loaded['parcel'] {
    try {
      return { ...header, message: this.#parts.spool.message(hopId) };
    } catch (error) {
      if (!(error instanceof CorruptRecordError)) throw error;
      this.#parts.log.error({ hopId, err: error }, 'a message in the spool cannot be read');
      return null;
    }
  }

  /** It cannot go now: the parcel waits in the spool. */
  async #putAside(hopId: HopId): Promise<void> {
    const held = this.#parts.hand.get(hopId);
    if (held?.parcel) await this.#parts.settler.spoolHeld(held).catch(() => {}); // stays in hand; the sweep tries again
  }
}
