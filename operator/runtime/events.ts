// Events on objects (events.k8s.io/v1). The same thing happening again raises the count of its series instead of making a new
// event; each object has a budget; writing never holds up or fails the caller.
import { type Log, log as rootLog } from '../../process/log.ts';
import { type Clock, systemClock } from './clock.ts';
import { ApiError } from './errors.ts';
import { microTime } from './lease.ts';
import { type KubeObject, TYPES } from './objects.ts';
import type { KubeApi } from './transport.ts';

export interface EventOptions {
  readonly type: 'Normal' | 'Warning';
  /** Why, as one CamelCase word from the table of reasons. */
  readonly reason: string;
  /** What was done or refused, as one CamelCase word. */
  readonly action: string;
  /** For people; at most 1,024 characters are kept. */
  readonly note: string;
}

export interface EventRecorderOptions {
  readonly api: Pick<KubeApi, 'create' | 'patch'>;
  /** E.g. `postfleet.io/operator`. */
  readonly controller: string;
  /** This pod. */
  readonly instance: string;
  readonly clock?: Clock;
  readonly log?: Log;
}

interface Series {
  readonly namespace: string;
  /** Null until the event is known to exist. */
  name: string | null;
  count: number;
  written: number;
  lastSeen: number;
  lastObserved: Date;
}

/** After so long without a repetition it is a new event. */
const SERIES_MS = 10 * 60_000;
/** Counts of series are written together, this often. */
const FLUSH_MS = 15_000;
/** New events per object: so many at once, and one more each minute. */
const BURST = 25;
const REFILL_MS = 60_000;

export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #series = new Map<string, Series>();
  readonly #budgets = new Map<string, { tokens: number; at: number }>();
  #writing: Promise<void> = Promise.resolve();
  #cancelFlush: (() => void) | null = null;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#log = (options.log ?? rootLog).child({ part: 'events' });
  }

  /** States that something happened to `regarding`, which carries apiVersion, kind and metadata. */
  record(regarding: KubeObject, event: EventOptions): void {
    const now = this.#clock.monotonic();
    const key = JSON.stringify([regarding.kind, regarding.metadata.uid, regarding.metadata.name, event]);
    const series = this.#series.get(key);
    if (series && now - series.lastSeen < SERIES_MS) {
      series.count += 1;
      series.lastSeen = now;
      series.lastObserved = this.#clock.now();
      this.#scheduleFlush();
    } else if (this.#spend(String(regarding.metadata.uid ?? regarding.metadata.name), now)) {
      this.#begin(key, regarding, event, now);
    }
  }

  /** Writes the counts of all series now; resolves when everything recorded so far was tried. */
  flush(): Promise<void> {
    this.#cancelFlush?.();
    this.#cancelFlush = null;
    this.#forgetOld();
    for (const series of this.#series.values()) {
      if (series.count > series.written) this.#write(() => this.#raise(series));
    }
    return this.#writing;
  }

  #begin(key: string, regarding: KubeObject, event: EventOptions, now: number): void {
    const namespace = regarding.metadata.namespace ?? 'default';
    const lastObserved = this.#clock.now();
    const series: Series = { namespace, name: null, count: 1, written: 1, lastSeen: now, lastObserved };
    this.#series.set(key, series);
    const body = eventObject(regarding, event, { ...this.#options, namespace, at: lastObserved });
    this.#write(async () => {
      const made = await this.#options.api.create(TYPES.events, body);
      series.name = made.metadata.name;
    });
    this.#scheduleFlush();
  }

  async #raise(series: Series): Promise<void> {
    const { namespace, name, count, lastObserved } = series;
    if (name === null) return;
    const body = { series: { count, lastObservedTime: microTime(lastObserved) } };
    series.written = count;
    await this.#options.api
      .patch(TYPES.events, { namespace, name }, { kind: 'merge', body })
      .catch((error: unknown) => {
        // Events are removed after an hour; the next occurrence makes a new one.
        if (ApiError.isNotFound(error)) series.lastSeen = Number.NEGATIVE_INFINITY;
        else throw error;
      });
  }

  #write(work: () => Promise<void>): void {
    this.#writing = this.#writing.then(work).catch((error: unknown) => {
      this.#log.warn({ err: error }, 'could not write an event');
    });
  }

  #scheduleFlush(): void {
    this.#cancelFlush ??= this.#clock.after(FLUSH_MS, () => void this.flush());
  }

  #forgetOld(): void {
    const now = this.#clock.monotonic();
    for (const [key, series] of this.#series) {
      if (now - series.lastSeen >= SERIES_MS && series.written === series.count) this.#series.delete(key);
    }
    for (const [key, { tokens, at }] of this.#budgets) {
      if (tokens + (now - at) / REFILL_MS >= BURST) this.#budgets.delete(key);
    }
  }

  #spend(key: string, now: number): boolean {
    const budget = this.#budgets.get(key) ?? { tokens: BURST, at: now };
    const tokens = Math.min(BURST, budget.tokens + (now - budget.at) / REFILL_MS);
    this.#budgets.set(key, { tokens: tokens >= 1 ? tokens - 1 : tokens, at: now });
    return tokens >= 1;
  }
}

function eventObject(
  regarding: KubeObject,
  { type, reason, action, note }: EventOptions,
  by: {
    readonly controller: string;
    readonly instance: string;
    readonly namespace: string;
    readonly at: Date;
  },
) {
  const { name, namespace, uid, resourceVersion } = regarding.metadata;
  return {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { namespace: by.namespace, name: '', generateName: `${name.slice(0, 200)}-` },
    eventTime: microTime(by.at),
    reportingController: by.controller,
    reportingInstance: by.instance.slice(0, 128),
    type,
    reason,
    action,
    note: note.slice(0, 1024),
    regarding: {
      apiVersion: regarding.apiVersion,
      kind: regarding.kind,
      name,
      uid,
      resourceVersion,
      ...(namespace ? { namespace } : {}),
    },
  };
}
