// Delivery put together, without its surroundings: parcels come in through `take`, leave through the sender, and every
// record of them goes through the settler. main.ts gives it a bus, a spool and a network; tests give it others.
import { randomUUID } from 'node:crypto';
import type { Registry } from 'prom-client';
import type { Log } from '../../process/log.ts';
import { queuePolicySpec } from '../../resources/kinds.ts';
import type { Assignment, Statement } from '../bus/snapshot.ts';
import { SNAPSHOT_VERSION } from '../bus/snapshot.ts';
import type { MxResult } from '../dns/mx.ts';
import type { HopId } from '../message/parcel.ts';
import { providerOf } from '../policy/provider.ts';
import type { Spool } from '../spool/port.ts';
import { Acknowledger } from './acknowledge.ts';
import { Attempts } from './attempts.ts';
import { bouncePublisher } from './bounce.ts';
import { Budget } from './budget.ts';
import { Busy } from './busy.ts';
import { Concurrency } from './concurrency.ts';
import { Doubts } from './doubt.ts';
import { Feed } from './feed.ts';
import type { Fleet } from './fleet.ts';
import type { Passage } from './gate.ts';
import { gaugeSources } from './gauges.ts';
import { Hand, type Held } from './hand.ts';
import { Handover } from './handover.ts';
import { Intake } from './intake.ts';
import { type Lane, laneOf } from './lane.ts';
import type { Remembered } from './memory/memory.ts';
import { DeliveryMetrics } from './metrics.ts';
import { type Duties, dutiesOf } from './ownership.ts';
import { until } from './pause.ts';
import type { Clock, MailMessage, Policy, Publish, Sender, SuppressionLookup } from './ports.ts';
import { Routes } from './routes.ts';
import { Scheduler, weightsOf } from './scheduler.ts';
import { type PulledAs, Settler } from './settle.ts';
import { Sharing } from './sharing.ts';
import { SpoolHealth } from './spool-health.ts';
import { Suppression } from './suppression.ts';
import { Tally } from './tally.ts';
import { Workload } from './workload.ts';

export interface EngineParts {
  readonly pod: string;
  readonly uid: string;
  /** SendingPool as namespace/name. */
  readonly pool: string;
  readonly spool: Spool;
  readonly memory: Remembered;
  readonly fleet: Fleet;
  readonly sender: Sender;
  readonly publish: Publish;
  readonly lookupMx: (domain: string) => Promise<MxResult>;
  readonly suppressed: SuppressionLookup;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** Why this pod is not ready, by name. */
  readonly obstacle: (name: string, why: string | null) => void;
  readonly registry?: Registry;
}

/** Most parcels and bytes in hand. */
const MOST_PARCELS = 512;
const MOST_BYTES = 96 * 1024 * 1024;
/** How long a parcel may wait in memory for its turn before it goes to the spool. */
const FAST_WAIT_MS = 5000;
const TICK_MS = 250;
const NEARLY_EMPTY = 30;
/** Well within ack_wait (30 s). */
const REFRESH_MS = 10_000;
/** For results that came within the grace period and still look for a durable place. */
const LAST_RESULTS_MS = 5000;

const PRESET_POLICY: Policy = queuePolicySpec.parse({});

export class Engine {
  /** This run: a restarted container has its pod's UID, and nothing in hand. */
  readonly #process = randomUUID();
  readonly #parts: EngineParts;
  readonly hand = new Hand();
  readonly budget: Budget;
  readonly metrics: DeliveryMetrics;
  readonly #busy = new Busy();
  readonly #scheduler = new Scheduler();
  readonly #settler: Settler;
  readonly #acknowledger: Acknowledger;
  readonly #doubts: Doubts;
  readonly #attempts: Attempts;
  readonly #intake: Intake;
  readonly #feed: Feed;
  readonly #routes: Routes;
  readonly #suppression: Suppression;
  readonly #handover: Handover;
  readonly #workload: Workload;
  readonly #sharing: Sharing;
  readonly #tally: Tally;
  readonly #timers: NodeJS.Timeout[] = [];
  #duties: Duties;
  /** What NATS has said to this process; null: it has not yet. */
  #present: Assignment | null = null;
  #stopped = false;
  #ended = false;
  #refreshed = 0;
  readonly #health: SpoolHealth;
  readonly #concurrency: Concurrency;

  constructor(parts: EngineParts) {
    this.#parts = parts;
    const { spool, clock, log, fleet, publish, random } = parts;
    const policy = () => this.policy;
    const open = () => this.#open();
    this.budget = new Budget(MOST_PARCELS, () => this.hand.bytes >= MOST_BYTES || !this.#mayPull());
    this.metrics = new DeliveryMetrics(parts.pool, parts.registry);
    const tally = new Tally(parts.pool, this.metrics, clock);
    this.#tally = tally;
    const [scheduler, busy, hand, memory] = [this.#scheduler, this.#busy, this.hand, parts.memory];
    const possiblyRepeated = (recipients: number) =>
      this.metrics.possiblyRepeated.inc({ pool: parts.pool }, recipients);
    const doubts = new Doubts({ spool, memory, publish, busy, clock, log, uid: parts.uid, possiblyRepeated });
    this.#doubts = doubts;
    const released = () => this.budget.release(1);
    this.#acknowledger = new Acknowledger({ hand, spool, memory, doubts, clock, log, released });
    this.#health = new SpoolHealth(spool, clock, (why) => parts.obstacle('spool', why));
    this.#suppression = new Suppression(parts.suppressed, log, (why) => this.#suppressionChanged(why));
    this.#settler = new Settler({
      hand,
      spool,
      acknowledger: this.#acknowledger,
      publishBounce: bouncePublisher(publish, policy, log),
      clock,
      log,
      ended: tally.ended,
      refused: (error) => this.#safely('spool', () => this.#health.refused(error)),
      pulledAs: this.#pulledAs,
    });
    this.#routes = new Routes(
      parts.lookupMx,
      (domain, hosts) => providerOf(policy().shaping, domain, hosts).name,
      clock.monotonic,
    );
    const route = (domain: string) => this.#routes.route(domain);
    this.#concurrency = new Concurrency(fleet, policy);
    const concurrency = (provider: string) => this.#concurrency.of(provider);
    const lane: Lane = (header) => laneOf(fleet.ipPool, header);
    // What is not acknowledged with confirmation may be another pod's a moment later: nothing is begun with its copy.
    const heldBack = (hopId: HopId) => hand.has(hopId) || doubts.has(hopId);
    const shared = { lane, spool, clock, log, random, policy, open, route, concurrency, heldBack };
    const settler = this.#settler;
    this.#attempts = new Attempts({
      ...shared,
      scheduler,
      settler,
      busy,
      hand,
      sender: parts.sender,
      suppression: this.#suppression,
      observe: (task, result) => {
        this.#workload.attempted(result.verdicts);
        tally.attempted(task, result);
      },
      ended: () => this.#safely('feed', () => this.#refill()),
    });
    const pump = () => this.#safely('pump', () => this.#attempts.pump());
    this.#intake = new Intake({
      ...shared,
      memory,
      doubts,
      scheduler,
      settler,
      busy,
      hand,
      acknowledger: this.#acknowledger,
      offered: pump,
      possiblyRepeated,
    });
    const knownSite = (domain: string) => this.#routes.knownSite(domain);
    this.#feed = new Feed({ ...shared, scheduler, settler, busy, knownSite, pump });
    this.#workload = new Workload({ ...shared, scheduler, hand, knownSite });
    const shards = () => fleet.pool?.shards ?? 1;
    this.#sharing = new Sharing({ spool, hand, clock, shards, hasRoom: this.#workload.hasRoom });
    this.#handover = new Handover({
      heldBack,
      spool,
      clock,
      possiblyRepeated,
      busy,
      publish,
      log,
      shards,
      moved: () => this.metrics.handedOver.inc({ pool: parts.pool }),
    });
    this.#duties = dutiesOf(fleet.assignment, parts.uid);
    this.#observe();
  }

  /** What the assignment asks of this pod, as it acts on it. */
  get duties(): Duties {
    return this.#duties;
  }

  /** Begins with the old spool at once; mail of the shards comes when they are pulled. */
  start(): void {
    this.#health.look();
    this.poolChanged();
    this.#timers.push(setInterval(() => this.#tick(), TICK_MS));
    this.assignmentChanged(false);
    this.#handover.start();
    this.#feed.fill();
  }

  /** One delivery of one message of a shard. True: it keeps its budget slot. */
  take = (message: MailMessage, shard: number, passage?: Passage): boolean =>
    this.#intake.take(message, shard, passage);

  /** Puts a parcel out of the hand that another pod gets redelivered. */
  letGo = (held: Held): void => {
    if (held.parcel) this.#acknowledger.giveBack(held, null);
    else this.#acknowledger.abandon(held);
  };

  /** Whether copies of the shard are in doubt. */
  hasDoubts = (shard: number): boolean => this.#doubts.hasOf(shard);

  /** Resolves when the memory of the shards knows of every confirmed acknowledgement, and of the copies that are ours. */
  recorded = async (): Promise<void> => {
    await this.#doubts.settled(this.#present);
    await this.#acknowledger.recorded();
  };

  /** Writes a parcel in hand to the spool and acknowledges it. */
  spoolHeld = (held: Held): Promise<void> => this.#settler.spoolHeld(held);

  poolChanged(): void {
    const { pool } = this.#parts.fleet;
    this.#parts.obstacle('snapshot', pool ? null : 'the fleet snapshot has not been read yet');
    if (!pool) return;
    const weights = weightsOf(pool);
    this.#scheduler.setWeights(weights);
    this.budget.setWeights(weights);
    this.#routes.clear();
    this.#concurrency.policyChanged();
  }

  /**
   * Takes in the assignment; the statement names its revision from here on.
   * @param isPresent NATS has said it to this process; false: it is what the volume remembers
   */
  assignmentChanged(isPresent: boolean): void {
    this.#present = isPresent ? this.#parts.fleet.assignment : null;
    this.#safely('doubts', () => this.#doubts.step(this.#present));
    this.#duties = dutiesOf(this.#parts.fleet.assignment, this.#parts.uid);
    const { handOver, shareWith } = this.#duties;
    this.#feed.paused = handOver || this.#stopped;
    if (handOver) this.#withdraw();
    // Idle connections would keep the peers from theirs.
    if (handOver) this.#parts.sender.rest();
    if (this.#handover.all !== handOver) this.#handover.all = handOver;
    this.#handover.shares = shareWith && this.#sharing.with(shareWith);
  }

  /** With an epoch that there is not when the shard was taken from us meanwhile. */
  #pulledAs: PulledAs = ({ shard, lost }) => {
    const owned = this.#parts.fleet.assignment?.shards.find((one) => one.shard === shard && !lost);
    return { shard, epoch: owned?.epoch ?? 0, uid: this.#parts.uid, at: this.#parts.clock.now() };
  };

  /** What only waits for its turn is handed over; a task that finds no connection comes back into the queue, and goes too. */
  #withdraw(): void {
    for (const task of this.#scheduler.withdraw(() => true)) this.#busy.delete(task.hopId, task.indexes);
  }

  /** All numbers of one instant. `held` is what the shards say at the same instant. */
  statement(held: Statement['held']): Statement {
    const { id, entries, bytes, freeBytes, oldestAcceptedAt, failure } = this.#parts.spool.stats();
    return {
      version: SNAPSHOT_VERSION,
      pod: this.#parts.pod,
      uid: this.#parts.uid,
      process: this.#process,
      pool: this.#parts.pool,
      assignmentRevision: this.#parts.fleet.assignment?.revision ?? 0,
      cordoned: this.#duties.cordoned,
      held,
      unacknowledged: this.hand.size,
      inFlight: this.#attempts.inFlight,
      spool: {
        ...(id !== null && { id }),
        entries,
        bytes,
        freeBytes,
        oldestAcceptedAt,
        writable: failure === null,
        ...(this.#handover.unreadable > 0 && { unreadable: this.#handover.unreadable }),
      },
      handedOver: this.#handover.handedOver,
      eventsUnsent: 0,
      work: this.#workload.work(entries),
      results: this.#tally.results,
    };
  }

  /**
   * Ends in order: nothing new starts, sessions before the final dot are aborted, those past it are waited for (`graceMs`) and their
   * results made durable. What is only in memory goes back to its stream; the spool stays.
   */
  async stop(graceMs: number): Promise<void> {
    this.#stopped = true;
    for (const timer of this.#timers) clearInterval(timer);
    this.#feed.paused = true;
    this.#attempts.stop();
    const began = this.#parts.clock.monotonic();
    const refresh = setInterval(() => this.hand.refresh(), REFRESH_MS);
    await this.#parts.sender.stop(graceMs);
    const left = graceMs - (this.#parts.clock.monotonic() - began);
    await until(() => this.#attempts.inFlight === 0, Math.max(LAST_RESULTS_MS, left));
    await this.#handover.stop();
    clearInterval(refresh);
    this.#acknowledger.stop();
    this.#doubts.stop();
    this.#suppression.stop();
    await this.#acknowledger.recorded();
    const { homeless } = this.#settler;
    if (homeless > 0)
      this.#parts.log.error({ homeless }, 'results found no durable place: these may be repeated');
    // What may be past its final dot is not hurried to the next pod.
    for (const held of this.hand.values()) if (held.parcel && !held.attempting) held.message.nak();
    this.#ended = true;
  }

  #tick(): void {
    const now = this.#parts.clock.monotonic();
    if (now - this.#refreshed >= REFRESH_MS) {
      this.#refreshed = now;
      this.#safely('refresh', () => this.hand.refresh());
    }
    this.#safely('sweep', () => this.#sweep(now));
    this.#safely('spool', () => this.#health.look());
    if (this.#duties.handOver) this.#safely('withdraw', () => this.#withdraw());
    this.#safely('doubts', () => this.#doubts.step(this.#present));
    this.#safely('budget', () => this.budget.poll());
    this.#safely('feed', () => this.#feed.fill());
    this.#safely('pump', () => this.#attempts.pump());
    this.#safely('workload', () => this.#workload.step());
  }

  /** One part that fails must not take the others of the tick along, nor the process. */
  #safely(part: string, run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#parts.log.error({ part, err: error }, 'a part of delivery failed; it is tried again');
    }
  }

  /** The tick fills the window; only a window that runs empty is filled in between. */
  #refill(): void {
    if (this.#scheduler.queued < NEARLY_EMPTY) this.#feed.fill();
  }

  /** What has waited too long for its turn goes to the spool: memory is for what can go now. */
  #sweep(now: number): void {
    for (const held of [...this.hand.values()]) {
      if (!held.parcel || held.attempting || now - held.since <= FAST_WAIT_MS) continue;
      if (held.lost) this.letGo(held);
      else void this.#intake.spool(held);
    }
  }

  #open(): boolean {
    return !this.#stopped && this.#settler.homeless === 0 && this.#suppression.available;
  }

  /** Nothing is pulled that could neither be tried nor be written to the spool. */
  #mayPull(): boolean {
    return this.#open() && this.#health.failure === null && this.#parts.memory.hasRoom;
  }

  /** The policy in force; the defaults before the first snapshot. */
  get policy(): Policy {
    return this.#parts.fleet.pool?.policy ?? PRESET_POLICY;
  }

  #suppressionChanged(why: string | null): void {
    this.#parts.obstacle('suppression', why);
    if (why === null) {
      this.#feed.fill();
      this.#attempts.pump();
      this.budget.poll();
    }
  }

  #observe(): void {
    const { spool, clock, sender } = this.#parts;
    const attempts = () => this.#attempts.inFlight;
    const closed = () => this.#ended;
    this.metrics.observe(gaugeSources({ spool, clock, sender, hand: this.hand, attempts, closed }));
  }
}
