// Keeps a cache equal to a collection of the API server: one consistent list, then a watch for as long as it holds. Whatever
// goes wrong it comes back, with a list when the server has forgotten where the watch was.
import { type Log, log as rootLog } from '../../process/log.ts';
import { Cache, type Change, type Indexer } from './cache.ts';
import { type Clock, type Random, sleep, systemClock } from './clock.ts';
import { ApiError, ConnectionError } from './errors.ts';
import { watches } from './metrics.ts';
import { atLeastVersion, type Key, type KubeObject, keyOf, type ResourceType } from './objects.ts';
import { backoffMs } from './retry.ts';
import type { KubeApi, WatchEvent } from './transport.ts';

export interface ReflectorOptions<T extends KubeObject> {
  readonly api: Pick<KubeApi, 'list' | 'watch'>;
  readonly type: ResourceType;
  /** Absent: all namespaces. */
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  /** For metrics and log; the plural when absent. */
  readonly name?: string;
  readonly indexes?: Readonly<Record<string, Indexer<T>>>;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly log?: Log;
  /** Silence after which a watch is given up. Bookmarks come about once a minute. */
  readonly silenceMs?: number;
}

export type ChangeHandler<T> = (change: Change<T>) => void;

const FIRST_BACKOFF_MS = 800;
const LONGEST_BACKOFF_MS = 30_000;

export class Reflector<T extends KubeObject> {
  readonly name: string;
  readonly #options: ReflectorOptions<T>;
  readonly #cache: Cache<T>;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Log;
  readonly #handlers = new Set<ChangeHandler<T>>();
  readonly #synced = Promise.withResolvers<void>();
  readonly #stop = new AbortController();
  #running: Promise<void> | null = null;
  #version: string | null = null;
  #isSynced = false;
  #lastEvent: number;
  #failures = 0;

  constructor(options: ReflectorOptions<T>) {
    this.name = options.name ?? options.type.plural;
    this.#options = options;
    this.#cache = new Cache(options.indexes);
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#log = (options.log ?? rootLog).child({ watch: this.name });
    this.#lastEvent = this.#clock.monotonic();
    watches.relists.inc({ watch: this.name }, 0);
  }

  /** Objects are shared: nobody changes them. */
  get cache(): Pick<Cache<T>, 'get' | 'list' | 'keys' | 'byIndex' | 'size'> {
    return this.#cache;
  }

  /** The first list is in the cache. */
  get synced(): boolean {
    return this.#isSynced;
  }

  whenSynced(): Promise<void> {
    return this.#synced.promise;
  }

  /** Seconds since the server last said anything, bookmarks included. */
  get lastEventAgeSeconds(): number {
    return (this.#clock.monotonic() - this.#lastEvent) / 1000;
  }

  /** Whether the cache shows the collection at `resourceVersion` or later. */
  hasSeen(resourceVersion: string): boolean {
    return this.#version !== null && atLeastVersion(this.#version, resourceVersion);
  }

  /** Calls `handler` at each change; it should only enqueue. Returns how to stop that. */
  subscribe(handler: ChangeHandler<T>): () => void {
    this.#handlers.add(handler);
    return () => void this.#handlers.delete(handler);
  }

  /** @throws when it was started before: two watches on one cache would fight */
  start(): void {
    if (this.#running || this.#stop.signal.aborted)
      throw new Error(`watch of ${this.name} was already started`);
    this.#running = this.#run();
  }

  /** Ends the watch; nothing is opened afterwards. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        if (this.#version === null) await this.#relist();
        await this.#watch(this.#version ?? '');
      } catch (error) {
        if (signal.aborted) return;
        await sleep(this.#clock, this.#failed(error), signal);
      }
    }
  }

  async #relist(): Promise<void> {
    watches.relists.inc({ watch: this.name });
    const { api, type } = this.#options;
    const { items, resourceVersion } = await api.list<T>(type, {
      ...this.#selection(),
      signal: this.#stop.signal,
    });
    this.#version = resourceVersion;
    this.#lastEvent = this.#clock.monotonic();
    for (const change of this.#cache.replace(items)) this.#announce(change);
    this.#isSynced = true;
    this.#synced.resolve();
  }

  /** One watch, from opening to its regular end. */
  async #watch(resourceVersion: string): Promise<void> {
    const silence = new AbortController();
    const signal = AbortSignal.any([this.#stop.signal, silence.signal]);
    const watchdog = new Watchdog(this.#clock, this.#options.silenceMs ?? 90_000, () => silence.abort());
    const timeoutSeconds = Math.round(300 * (1 + this.#random()));
    const opened = this.#clock.monotonic();
    try {
      const options = { ...this.#selection(), resourceVersion, timeoutSeconds, signal };
      for await (const event of this.#options.api.watch<T>(this.#options.type, options)) {
        if (signal.aborted) return;
        watchdog.feed();
        this.#take(event);
      }
    } catch (cause) {
      if (silence.signal.aborted) throw new ConnectionError('the watch was silent for too long', { cause });
      throw cause;
    } finally {
      watchdog.stop();
    }
    // A server that ends each watch at once must not be asked in a tight loop.
    if (this.#clock.monotonic() - opened < 1000)
      throw new ConnectionError('the watch ended as soon as it began');
  }

  #take(event: WatchEvent<T>): void {
    if (event.type === 'ERROR') throw ApiError.parse(500, JSON.stringify(event.object));
    const { metadata } = event.object;
    this.#lastEvent = this.#clock.monotonic();
    if (event.type === 'DELETED') this.#announce(this.#cache.remove(keyOf(metadata)));
    else if (event.type !== 'BOOKMARK') this.#announce(this.#cache.put(event.object));
    if (metadata.resourceVersion) this.#version = metadata.resourceVersion;
    this.#failures = 0;
  }

  #announce(change: Change<T>): void {
    for (const handler of this.#handlers) {
      try {
        handler(change);
      } catch (error) {
        // One handler's mistake must not blind all others.
        this.#log.error({ err: error, key: change.key }, 'a change handler threw');
      }
    }
  }

  /** Notes a failure; returns how long to wait, in ms. The first 410 is no fault: it is answered by a list at once. */
  #failed(error: unknown): number {
    this.#failures += 1;
    watches.failures.inc({ watch: this.name });
    const gone = ApiError.isGone(error);
    if (gone) this.#version = null;
    if (gone && this.#failures === 1) return 0;
    const asked = error instanceof ApiError ? (error.retryAfterSeconds ?? 0) * 1000 : 0;
    const wait = Math.max(
      asked,
      backoffMs(this.#failures, FIRST_BACKOFF_MS, LONGEST_BACKOFF_MS, this.#random),
    );
    this.#log.warn({ err: error, waitMs: Math.round(wait) }, 'watch interrupted');
    return wait;
  }

  #selection() {
    const { namespace, labelSelector, fieldSelector } = this.#options;
    return { namespace, labelSelector, fieldSelector };
  }
}

/** Calls back once when it is not fed for `ms`. */
class Watchdog {
  readonly #clock: Clock;
  readonly #ms: number;
  readonly #bite: () => void;
  #cancel: () => void;

  constructor(clock: Clock, ms: number, bite: () => void) {
    this.#clock = clock;
    this.#ms = ms;
    this.#bite = bite;
    this.#cancel = clock.after(ms, bite);
  }

  feed(): void {
    this.stop();
    this.#cancel = this.#clock.after(this.#ms, this.#bite);
  }

  stop(): void {
    this.#cancel();
  }
}

export type { Change, Indexer, Key };
