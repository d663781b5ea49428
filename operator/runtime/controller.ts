// The reconcile loop: keys from watches and timers in, one reconcile per key at a time, and what becomes of its result.
import { type Log, log as rootLog } from '../../process/log.ts';
import { type Clock, systemClock } from './clock.ts';
import { ApiError, ConnectionError, NotLeading } from './errors.ts';
import { Bug, Terminal, Transient } from './failures.ts';
import { reconciles } from './metrics.ts';
import { type Key, type KubeObject, keyOf } from './objects.ts';
import { WorkQueue } from './queue.ts';
import type { Change, Reflector } from './reflector.ts';

/** Nothing more to do, or: look again by itself after so many seconds. */
export type Result = { readonly requeueAfterSeconds: number } | undefined;
/** Brings one object's world to what it asks for. `signal` aborts when the controller stops or the reconcile takes too long. */
export type Reconcile = (key: Key, signal: AbortSignal) => Promise<Result>;

export interface ControllerOptions {
  readonly name: string;
  readonly reconcile: Reconcile;
  /** Keys reconciled at the same time; never the same key twice. */
  readonly concurrency?: number;
  readonly timeoutSeconds?: number;
  readonly clock?: Clock;
  readonly log?: Log;
}

export class Controller {
  readonly name: string;
  readonly #options: ControllerOptions;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #sources: (() => readonly Key[])[] = [];
  #queue: WorkQueue | null = null;
  #abort = new AbortController();
  #workers: Promise<void>[] = [];

  constructor(options: ControllerOptions) {
    this.name = options.name;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#log = (options.log ?? rootLog).child({ controller: options.name });
    reconciles.maximum.set({ controller: this.name }, options.concurrency ?? 1);
    for (const result of RESULTS) reconciles.total.inc({ controller: this.name, result }, 0);
  }

  /** Reconciles each object of `reflector` when it changes, and all of them at start. */
  owns<T extends KubeObject>(reflector: Reflector<T>): this {
    return this.watches(reflector, (object) => [keyOf(object.metadata)]);
  }

  /** Reconciles the keys that `map` derives from an object, as it was and as it is, when it changes; and all at start. */
  watches<T extends KubeObject>(reflector: Reflector<T>, map: (object: T) => readonly Key[]): this {
    const keysOf = ({ before, after }: Change<T>) =>
      [before, after].flatMap((object) => (object ? map(object) : []));
    reflector.subscribe((change) => {
      for (const key of new Set(keysOf(change))) this.enqueue(key);
    });
    this.#sources.push(() => reflector.cache.list().flatMap(map));
    return this;
  }

  /** Reconciles this key at each start; what it does by itself later it says by `requeueAfterSeconds`. */
  always(key: Key): this {
    this.#sources.push(() => [key]);
    return this;
  }

  /** Asks for a reconcile; ignored while stopped, since starting looks at everything anyway. */
  enqueue(key: Key): void {
    this.#queue?.add(key);
  }

  /** Asks for a reconcile after so many milliseconds. */
  enqueueAfter(key: Key, ms: number): void {
    this.#queue?.addAfter(key, ms);
  }

  /** Begins with every key of its sources. May be started again after a stop. @throws when running */
  start(): void {
    if (this.#queue) throw new Error(`controller ${this.name} was already started`);
    const queue = new WorkQueue(this.name, { clock: this.#clock });
    this.#queue = queue;
    this.#abort = new AbortController();
    for (const keys of this.#sources) for (const key of keys()) queue.add(key);
    this.#workers = Array.from({ length: this.#options.concurrency ?? 1 }, () => this.#work(queue));
  }

  /** Takes no more keys and waits for the reconciles that run. */
  async stop(): Promise<void> {
    this.#queue?.shutDown();
    this.#queue = null;
    this.#abort.abort();
    await Promise.all(this.#workers.splice(0));
  }

  async #work(queue: WorkQueue): Promise<void> {
    for (let key = await queue.take(); key !== null; key = await queue.take()) {
      reconciles.active.inc({ controller: this.name });
      await this.#reconcile(queue, key);
      reconciles.active.dec({ controller: this.name });
      queue.done(key);
    }
  }

  async #reconcile(queue: WorkQueue, key: Key): Promise<void> {
    const started = this.#clock.monotonic();
    const late = new AbortController();
    const limit = (this.#options.timeoutSeconds ?? 120) * 1000;
    const cancel = this.#clock.after(limit, () =>
      late.abort(new Error(`reconcile took longer than ${limit} ms`)),
    );
    try {
      const result = await this.#options.reconcile(key, AbortSignal.any([this.#abort.signal, late.signal]));
      this.#succeeded(queue, key, result);
    } catch (error) {
      if (late.signal.aborted) reconciles.timeouts.inc({ controller: this.name });
      this.#failed(queue, key, error);
    } finally {
      cancel();
      reconciles.seconds.observe({ controller: this.name }, (this.#clock.monotonic() - started) / 1000);
    }
  }

  #succeeded(queue: WorkQueue, key: Key, result: Result): void {
    queue.forget(key);
    if (result) queue.addAfter(key, result.requeueAfterSeconds * 1000);
    reconciles.total.inc({ controller: this.name, result: result ? 'requeue_after' : 'success' });
  }

  #failed(queue: WorkQueue, key: Key, error: unknown): void {
    const controller = this.name;
    if (error instanceof NotLeading || this.#abort.signal.aborted) return;
    reconciles.total.inc({ controller, result: 'error' });
    reconciles.errors.inc({ controller });
    const kind = kindOfFailure(error);
    this.#log[kind === 'bug' ? 'error' : 'warn']({ err: error, key, kind }, 'reconcile failed');
    if (kind === 'bug') reconciles.panics.inc({ controller });
    if (kind === 'terminal') {
      reconciles.terminal.inc({ controller });
      queue.forget(key);
    } else {
      queue.addRateLimited(key);
    }
  }
}

const RESULTS = ['success', 'error', 'requeue', 'requeue_after'];

function kindOfFailure(error: unknown): 'transient' | 'terminal' | 'bug' {
  if (error instanceof Terminal) return 'terminal';
  if (error instanceof Bug) return 'bug';
  const expected = [Transient, ApiError, ConnectionError].some((kind) => error instanceof kind);
  return expected || isAbort(error) ? 'transient' : 'bug';
}

const isAbort = (error: unknown): boolean => error instanceof Error && error.name === 'AbortError';
