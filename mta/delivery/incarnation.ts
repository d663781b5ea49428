// Which stream an answer would go to. An acknowledgement names a stream, a consumer and a number; the server looks up that number among
// what the consumer waits for, and compares nothing else (nats-server 2.15, server/consumer.go, processAckMsg). A stream that was made anew
// under its name counts from 1 again, so an acknowledgement of before takes the mail that has its number now. What tells the two apart is
// when the stream was made. So it is read anew whenever one may stand in the place of another (a new connection, a pull that ended
// otherwise than it should, an answer that did not come), and before it is known again nothing is said to the stream.
import type { Log } from '../../process/log.ts';

/** `gone`: another stream stands under its name; `unknown`: it is not known at the moment. */
export type Standing = 'current' | 'unknown' | 'gone';

const RETRY_MS = 1000;

/** One stream, from when it was made until it is deleted. */
export class Incarnation {
  readonly created: string;
  readonly #ask: () => void;
  #standing: Standing = 'current';
  #known = Promise.withResolvers<void>();

  constructor(created: string, ask: () => void) {
    this.created = created;
    this.#ask = ask;
  }

  get standing(): Standing {
    return this.#standing;
  }

  set standing(standing: Standing) {
    if (this.#standing === 'gone' || this.#standing === standing) return;
    if (this.#standing === 'unknown') this.#known.resolve();
    else if (standing === 'unknown') this.#known = Promise.withResolvers<void>();
    this.#standing = standing;
  }

  /** Another stream may have taken the place, of which nothing was heard: it is looked at again. */
  doubt(): void {
    if (this.#standing === 'current') this.#ask();
  }

  /** Resolves when the standing is known; rejects when it is not within `ms`. */
  async known(ms: number): Promise<void> {
    if (this.#standing !== 'unknown') return;
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => late.reject(new Error('whether its stream is still the same is not known')),
      ms,
    );
    try {
      await Promise.race([this.#known.promise, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }
}

interface Known {
  now: Incarnation | null;
  /** Monotonic ms of the last question that was answered. */
  askedAt: number;
  running: Promise<Incarnation> | null;
  next: Promise<Incarnation> | null;
}

export class Incarnations {
  readonly #created: (stream: string) => Promise<string>;
  readonly #gone: (stream: string) => void;
  readonly #log: Log;
  readonly #streams = new Map<string, Known>();
  #connection = new AbortController();
  #isConnected = true;

  /**
   * @param created when a stream was made, as the server says; rejects when it cannot be known
   * @param gone is told when another stream stands in the place of one: what is in hand of that is nowhere else any more
   */
  constructor(created: (stream: string) => Promise<string>, gone: (stream: string) => void, log: Log) {
    this.#created = created;
    this.#gone = gone;
    this.#log = log;
  }

  /** Aborted when the connection is lost: what was asked over it must not be asked again by the library. */
  get connection(): AbortSignal {
    return this.#connection.signal;
  }

  disconnected(): void {
    this.#isConnected = false;
    this.#connection.abort();
    this.#connection = new AbortController();
    for (const { now } of this.#streams.values()) if (now) now.standing = 'unknown';
  }

  reconnected(): void {
    this.#isConnected = true;
    for (const stream of this.#streams.keys()) this.#ask(stream);
  }

  /**
   * The stream as it is from the moment of asking on, or was `withinMs` before. Rejects when it cannot be known, and then is asked for again by
   * itself.
   */
  check(stream: string, withinMs = 0): Promise<Incarnation> {
    const known = this.#streams.get(stream) ?? { now: null, askedAt: 0, running: null, next: null };
    this.#streams.set(stream, known);
    const isFresh = known.now?.standing === 'current' && performance.now() - known.askedAt < withinMs;
    if (known.now && isFresh) return Promise.resolve(known.now);
    if (known.now) known.now.standing = 'unknown';
    // One that is under way may have its answer from before: the next begins after it, and serves all who ask until then.
    known.next ??= (known.running ?? Promise.resolve())
      .catch(() => {})
      .then(() => {
        known.running = known.next;
        known.next = null;
        return this.#read(stream, known);
      })
      .finally(() => {
        known.running = null;
      });
    return known.next;
  }

  async #read(stream: string, known: Known): Promise<Incarnation> {
    const connection = this.connection;
    const askedAt = performance.now();
    try {
      // What is asked of a connection that is not there is only answered by its end of time.
      if (!this.#isConnected) throw new Error('there is no connection to NATS');
      const created = await unlessAborted(this.#created(stream), connection);
      known.askedAt = askedAt;
      return this.#found(stream, known, created);
    } catch (error) {
      this.#log.debug({ stream, err: error }, 'when the stream was made cannot be read');
      if (known.now && this.#isConnected) setTimeout(() => this.#again(stream, known), RETRY_MS).unref();
      throw error;
    }
  }

  #found(stream: string, known: Known, created: string): Incarnation {
    const { now } = known;
    // Another question may be waiting, whose cause is newer than this answer.
    if (now?.created === created) {
      if (!known.next) now.standing = 'current';
      return now;
    }
    known.now = new Incarnation(created, () => this.#ask(stream));
    if (known.next) known.now.standing = 'unknown';
    if (now) {
      now.standing = 'gone';
      this.#log.warn({ stream, before: now.created, created }, 'the stream was made anew');
      this.#gone(stream);
    }
    return known.now;
  }

  #again(stream: string, { now }: Known): void {
    if (now?.standing === 'unknown') this.#ask(stream);
  }

  #ask(stream: string): void {
    this.check(stream).catch(() => {});
  }
}

async function unlessAborted<T>(answer: Promise<T>, signal: AbortSignal): Promise<T> {
  const ended = Promise.withResolvers<never>();
  const end = () => ended.reject(new Error('the connection was lost meanwhile'));
  signal.addEventListener('abort', end, { once: true });
  try {
    return await Promise.race([answer, ended.promise]);
  } finally {
    signal.removeEventListener('abort', end);
  }
}
