// A run: faults from a seed, one step after the other, under constant load; then everything is undone, every fate awaited, and judged.
import { setTimeout as delay } from 'node:timers/promises';
import { seeded } from '../internet/random.ts';
import { until } from '../rig/process.ts';
import type { Stage } from '../stage/stage.ts';
import { between, type Fault, type Injected } from './fault.ts';
import { Load, SUPPRESSED } from './load.ts';
import type { Window } from './repeats.ts';
import { Reported } from './reported.ts';
import { Scene, type Undo } from './scene.ts';
import { settled, type Verdict, verdictOf } from './verdict.ts';

export interface RunOptions {
  readonly seed: number;
  /** Submissions a second. */
  readonly perSecond: number;
  /** Faults in steps: what a step names happens at the same time. It ends when they do. */
  readonly steps: Iterable<readonly Fault[]>;
  /** No step begins later than this after the first. */
  readonly minutes: number;
  /** Shortens every fault; absent: as long as it says. */
  readonly holdAtMostSeconds?: number;
  readonly log: (line: string) => void;
  /** Ends the run early; everything is undone. */
  readonly signal?: AbortSignal;
}

export interface NotDone {
  readonly fault: string;
  readonly why: string;
}

export interface RunOutcome {
  readonly verdict: Verdict;
  readonly messages: number;
  /** How often each fault was injected. */
  readonly events: Readonly<Record<string, number>>;
  /** What could not be injected, and why. */
  readonly notDone: readonly NotDone[];
  readonly windows: readonly Window[];
  readonly possiblyRepeated: number;
  readonly mostInFlight: number;
  /** From the last undoing until every fate was known and the fleet was whole again. */
  readonly settledSeconds: number;
}

const ANSWER_MS = 480_000;
const SETTLE_MS = 420_000;
const UNDO_MS = 240_000;
const READ_EVERY_MS = 10_000;

export class FaultRun {
  readonly #stage: Stage;
  readonly #scene: Scene;
  readonly #options: RunOptions;
  readonly #open = new Set<Undo>();
  readonly #windows: Window[] = [];
  readonly #events: Record<string, number> = {};
  readonly #notDone: NotDone[] = [];
  /** Orderly ends of senders: nothing may be repeated by them, but they take their counters along. */
  readonly #deaths: Window[] = [];
  readonly #reported: Reported;
  #base = 0;

  constructor(stage: Stage, name: string, options: RunOptions) {
    this.#stage = stage;
    this.#scene = new Scene(stage, name);
    this.#reported = new Reported(this.#scene);
    this.#options = options;
  }

  /** @throws Error when the fleet does not come to rest, with what is missing */
  async run(): Promise<RunOutcome> {
    const { seed, perSecond, log, signal } = this.#options;
    await this.#prepare();
    const load = new Load(this.#stage, seed, perSecond);
    const reported = this.#reported;
    await reported.read();
    this.#base = reported.possiblyRepeated;
    const reading = setInterval(() => void reported.read().catch(() => {}), READ_EVERY_MS);
    load.start();
    try {
      await delay(3000);
      await this.#steps();
    } finally {
      await this.#undoAll();
      clearInterval(reading);
    }
    const ended = performance.now();
    log('all undone; no new mail');
    signal?.throwIfAborted();
    await bounded(load.stop(), ANSWER_MS, 'every message to have an answer');
    log(`${load.given} messages, all answered; waiting for every fate`);
    await this.#settle(load);
    await this.#ready();
    const verdict = await this.#judge(load);
    return {
      verdict,
      messages: load.given,
      events: this.#events,
      notDone: this.#notDone,
      windows: this.#windows,
      possiblyRepeated: reported.possiblyRepeated - this.#base,
      mostInFlight: reported.mostInFlight,
      settledSeconds: Math.round((performance.now() - ended) / 1000),
    };
  }

  async #prepare(): Promise<void> {
    await this.#scene.heal();
    await this.#ready();
    const list = ['postfleet', 'suppression', 'add', 'acme', ...SUPPRESSED];
    await this.#scene.kubectl('exec', 'deploy/postfleet-gateway', '--', ...list);
    await this.#stage.internet.reset();
  }

  async #steps(): Promise<void> {
    const { steps, minutes, seed, signal } = this.#options;
    const random = seeded(seed ^ 0x5eed);
    const end = performance.now() + minutes * 60_000;
    for (const step of steps) {
      if (performance.now() > end || signal?.aborted) return;
      await this.#step(step, random);
      await delay(between(random, 4, 12) * 1000, undefined, signal ? { signal } : {}).catch(() => {});
    }
  }

  async #step(faults: readonly Fault[], random: ReturnType<typeof seeded>): Promise<void> {
    const { log, signal, holdAtMostSeconds = Number.POSITIVE_INFINITY } = this.#options;
    const from = Date.now();
    const injected: (Injected & { readonly fault: Fault })[] = [];
    for (const fault of faults) {
      try {
        const one = { ...(await fault.inject(this.#scene, random)), fault };
        injected.push(one);
        this.#open.add(one.undo);
        this.#events[fault.name] = (this.#events[fault.name] ?? 0) + 1;
        log(`${fault.name}: ${one.detail}, for ${one.holdSeconds} s`);
      } catch (error) {
        const [why = ''] = (error as Error).message.split('\n');
        this.#notDone.push({ fault: fault.name, why });
        // What it began may have cost a reply all the same.
        this.#windowOf(fault, from);
        log(`${fault.name}: not done: ${why}`);
      }
    }
    const hold = Math.max(0, ...injected.map(({ holdSeconds }) => holdSeconds));
    await delay(Math.min(hold, holdAtMostSeconds) * 1000, undefined, signal ? { signal } : {}).catch(
      () => {},
    );
    for (const { undo, fault } of injected.reverse())
      await this.#undo(undo).catch((error: Error) => {
        // It is tried again at the end, and then it must be possible.
        log(`${fault.name}: not undone yet: ${error.message.split('\n')[0]}`);
      });
    for (const { fault, troubleFrom } of injected) this.#windowOf(fault, troubleFrom ?? from);
    log(`${faults.map(({ name }) => name).join(' + ')}: undone`);
  }

  #windowOf({ name, mayRepeat, senderDies = false }: Fault, from: number): void {
    const window = { what: name, from, to: Date.now(), senderDies };
    if (mayRepeat) this.#windows.push(window);
    else if (senderDies) this.#deaths.push(window);
  }

  /** Again and again for a while: what undoes may itself need what another fault troubled. */
  async #undo(undo: Undo): Promise<void> {
    await until('a fault to be undone', () => undo().then(() => true), UNDO_MS);
    this.#open.delete(undo);
  }

  async #undoAll(): Promise<void> {
    for (const undo of [...this.#open].reverse()) await this.#undo(undo);
    await until('the stage to be healed', () => this.#scene.heal().then(() => true), UNDO_MS);
  }

  async #settle(load: Load): Promise<void> {
    let shown = '';
    await until(
      'every fate',
      async () => {
        await delay(2000);
        const verdict = await this.#judge(load);
        const { accepted, delivered, bounced } = verdict.judgement;
        const { backlog } = verdict.fleet;
        const line = `accepted ${accepted}, delivered ${delivered}, bounced ${bounced}, held ${backlog}`;
        if (line !== shown) this.#options.log(line);
        shown = line;
        return settled(verdict);
      },
      SETTLE_MS,
    ).catch(() => this.#options.log('fates are still unknown: what is missing counts as lost'));
  }

  async #judge(load: Load): Promise<Verdict> {
    await this.#reported.read();
    const { backlog, stranded } = await this.#scene.poolAccount();
    return verdictOf({
      fleet: { backlog, stranded, possiblyRepeated: this.#reported.possiblyRepeated - this.#base },
      deaths: this.#deaths,
      results: load.results,
      records: await this.#stage.internet.records(),
      windows: this.#windows,
      suppressed: SUPPRESSED,
      allowedSources: this.#stage.world.sendingAddresses.map(({ address }) => address),
    });
  }

  /** The fleet is whole again: three pods that work. */
  async #ready(): Promise<void> {
    const wait = (what: string) => this.#scene.kubectl('rollout', 'status', what, '--timeout=30s');
    await until(
      'the fleet to be whole',
      async () => {
        for (const what of ['statefulset/postfleet-nats', 'statefulset/postfleet-postgres']) await wait(what);
        for (const what of ['operator', 'gateway', 'ingress']) await wait(`deploy/postfleet-${what}`);
        const text = await this.#scene.kubectl('get', 'sendingpool', 'demo', '-o', 'json');
        const { status } = JSON.parse(text) as { status?: { replicas?: number; readyReplicas?: number } };
        await this.#scene.kubectl('wait', '--for=condition=Ready', 'nodes', '--all', '--timeout=30s');
        const held = await this.#scene.kubectl('get', 'ippool', 'demo', '-o', 'jsonpath={.status.held}');
        return status?.replicas === 3 && status.readyReplicas === 3 && held === '4/4';
      },
      420_000,
    );
  }
}

async function bounded<T>(promise: Promise<T>, ms: number, what: string): Promise<T> {
  const late = new AbortController();
  const timeout = delay(ms, undefined, { signal: late.signal }).then(() => {
    throw new Error(`waited ${ms} ms for ${what}`);
  });
  timeout.catch(() => {});
  return Promise.race([promise, timeout]).finally(() => late.abort());
}
