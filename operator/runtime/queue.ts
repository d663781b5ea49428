// A work queue of keys, as client-go's: a key waits at most once, is worked by one worker at a time, and comes again when it
// was added during its work. Failures come back after 5 ms × 2^n, at most 1000 s.
import { type Clock, systemClock } from './clock.ts';
import { queues } from './metrics.ts';
import type { Key } from './objects.ts';

const FIRST_MS = 5;
const LONGEST_MS = 1_000_000;

export interface WorkQueueOptions {
  readonly clock?: Clock;
}

interface Delayed {
  readonly due: number;
  readonly cancel: () => void;
}

export class WorkQueue {
  readonly #labels: { readonly name: string; readonly controller: string };
  readonly #clock: Clock;
  /** Waiting to be worked, oldest first, with the time they were added. */
  readonly #waiting = new Map<Key, number>();
  /** Being worked, since when. */
  readonly #working = new Map<Key, number>();
  /** Added while being worked. */
  readonly #again = new Set<Key>();
  readonly #delayed = new Map<Key, Delayed>();
  readonly #failures = new Map<Key, number>();
  readonly #takers: ((key: Key | null) => void)[] = [];
  #closed = false;

  constructor(name: string, { clock = systemClock }: WorkQueueOptions = {}) {
    this.#labels = { name, controller: name };
    this.#clock = clock;
    instances.add(this);
    queues.depth.set(this.#labels, 0);
  }

  /** Keys that wait for a worker. */
  get depth(): number {
    return this.#waiting.size;
  }

  add(key: Key): void {
    if (this.#closed || this.#waiting.has(key) || this.#again.has(key)) return;
    queues.adds.inc(this.#labels);
    if (this.#working.has(key)) this.#again.add(key);
    else this.#enqueue(key);
  }

  /** Adds after `ms`; of several times for one key the earliest holds. */
  addAfter(key: Key, ms: number): void {
    if (this.#closed) return;
    if (ms <= 0) {
      this.add(key);
      return;
    }
    const due = this.#clock.monotonic() + ms;
    const earlier = this.#delayed.get(key);
    if (earlier && earlier.due <= due) return;
    earlier?.cancel();
    const cancel = this.#clock.after(ms, () => {
      this.#delayed.delete(key);
      this.add(key);
    });
    this.#delayed.set(key, { due, cancel });
  }

  /** Adds after this key's back-off, which doubles each time until `forget`. */
  addRateLimited(key: Key): void {
    const failures = this.failures(key);
    this.#failures.set(key, failures + 1);
    queues.retries.inc(this.#labels);
    this.addAfter(key, Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(failures, 30)));
  }

  /** The key did well: its next failure starts over at 5 ms. */
  forget(key: Key): void {
    this.#failures.delete(key);
  }

  failures(key: Key): number {
    return this.#failures.get(key) ?? 0;
  }

  /** The next key, when there is one; null once the queue is shut down. Each key is to be given back with `done`. */
  take(): Promise<Key | null> {
    if (this.#closed) return Promise.resolve(null);
    const [next] = this.#waiting.keys();
    if (next === undefined) return new Promise((resolve) => this.#takers.push(resolve));
    return Promise.resolve(this.#begin(next));
  }

  done(key: Key): void {
    const since = this.#working.get(key);
    if (since === undefined) return;
    this.#working.delete(key);
    queues.worked.observe(this.#labels, this.#secondsSince(since));
    if (this.#again.delete(key)) this.#enqueue(key);
    if (this.#closed && this.#working.size === 0) instances.delete(this);
  }

  /** Waiting and delayed keys are dropped, takers get null; keys being worked are still given back. */
  shutDown(): void {
    this.#closed = true;
    this.#waiting.clear();
    this.#again.clear();
    for (const { cancel } of this.#delayed.values()) cancel();
    this.#delayed.clear();
    for (const taker of this.#takers.splice(0)) taker(null);
    queues.depth.set(this.#labels, 0);
    if (this.#working.size === 0) instances.delete(this);
  }

  /** Refreshes the gauges that age by themselves. */
  observe(): void {
    const ages = [...this.#working.values()].map((since) => this.#secondsSince(since));
    queues.unfinished.set(
      this.#labels,
      ages.reduce((sum, age) => sum + age, 0),
    );
    queues.longest.set(this.#labels, Math.max(0, ...ages));
  }

  #enqueue(key: Key): void {
    this.#waiting.set(key, this.#clock.monotonic());
    const taker = this.#takers.shift();
    if (taker) taker(this.#begin(key));
    queues.depth.set(this.#labels, this.#waiting.size);
  }

  #begin(key: Key): Key {
    const added = this.#waiting.get(key) ?? this.#clock.monotonic();
    this.#waiting.delete(key);
    this.#working.set(key, this.#clock.monotonic());
    queues.depth.set(this.#labels, this.#waiting.size);
    queues.waited.observe(this.#labels, this.#secondsSince(added));
    return key;
  }

  #secondsSince(monotonic: number): number {
    return (this.#clock.monotonic() - monotonic) / 1000;
  }
}

const instances = new Set<WorkQueue>();
// prom-client asks `collect` at each scrape. Only one of the two gauges needs it: they are refreshed together.
Object.assign(queues.unfinished, {
  collect: () => {
    for (const queue of instances) queue.observe();
  },
});
