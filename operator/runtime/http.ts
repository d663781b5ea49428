// One exchange with the API server, and the same again when that is safe.
import { request } from 'undici';
import { type Clock, type Random, sleep } from './clock.ts';
import type { Connection } from './connection.ts';
import { ApiError, ConnectionError } from './errors.ts';
import { requests } from './metrics.ts';
import { retryDelay } from './retry.ts';

export interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body?: unknown;
  readonly contentType?: string;
  /** Doing it twice is the same as doing it once. */
  readonly idempotent: boolean;
  readonly signal?: AbortSignal;
}

export interface ExchangeOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** For one attempt, from sending to the last byte. */
  readonly timeoutMs: number;
  readonly attempts: number;
}

type Answer = Awaited<ReturnType<typeof request>>;

/**
 * Sends a call and reads its JSON answer, repeating it as `retryDelay` allows.
 * @throws ApiError when the server refuses, ConnectionError when it does not answer
 */
export async function exchange(
  connection: Connection,
  call: Call,
  options: ExchangeOptions,
): Promise<unknown> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await once(connection, call, options);
    } catch (error) {
      const wait = retryDelay(error, attempt, call.idempotent, options.random);
      if (wait === null || attempt >= options.attempts || call.signal?.aborted) throw error;
      await sleep(options.clock, wait, call.signal);
      if (call.signal?.aborted) throw error;
    }
  }
}

async function once(
  connection: Connection,
  call: Call,
  { clock, timeoutMs }: ExchangeOptions,
): Promise<unknown> {
  const late = new AbortController();
  const cancel = clock.after(timeoutMs, () => late.abort(new Error(`no answer within ${timeoutMs} ms`)));
  const signal = call.signal ? AbortSignal.any([call.signal, late.signal]) : late.signal;
  try {
    const answer = await open(connection, { ...call, signal });
    const text = await answer.body.text().catch((cause) => fail(call, cause));
    await released();
    return text === '' ? null : JSON.parse(text);
  } finally {
    cancel();
  }
}

/**
 * Sends a call once and returns when the head of a successful answer is there; the body is the caller's to read.
 * Credentials that are refused are read anew once.
 */
export async function open(connection: Connection, call: Call): Promise<Answer> {
  let answer = await send(connection, call, false);
  if (answer.statusCode === 401) {
    await answer.body.dump();
    await released();
    answer = await send(connection, call, true);
  }
  if (answer.statusCode < 400) return answer;
  const text = await answer.body.text().catch((cause) => fail(call, cause));
  throw ApiError.parse(answer.statusCode, text, answer.headers['retry-after']?.toString());
}

/** undici frees a connection one turn after the body's end; a request sent before that would open another. */
const released = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function send(connection: Connection, call: Call, renew: boolean): Promise<Answer> {
  const { dispatcher, headers } = await connection.access(renew).catch((cause) => fail(call, cause));
  const host = new URL(connection.server).host;
  const measured = requests.seconds.startTimer({ verb: call.method, host });
  try {
    const answer = await request(`${connection.server}${call.path}${queryString(call.query)}`, {
      dispatcher,
      method: call.method,
      headers: {
        accept: 'application/json',
        'user-agent': 'postfleet',
        ...(call.body === undefined ? {} : { 'content-type': call.contentType ?? 'application/json' }),
        ...headers,
      },
      body: call.body === undefined ? null : JSON.stringify(call.body),
      signal: call.signal ?? null,
      headersTimeout: 60_000,
      bodyTimeout: 0, // the timeout of the call or the watch's own watchdog ends it
    });
    requests.total.inc({ code: answer.statusCode, method: call.method, host });
    return answer;
  } catch (cause) {
    requests.total.inc({ code: '<error>', method: call.method, host });
    return fail(call, cause);
  } finally {
    measured();
  }
}

function fail(call: Call, cause: unknown): never {
  const why = cause instanceof Error ? cause.message || cause.name : String(cause);
  throw new ConnectionError(`${call.method} ${call.path}: ${why}`, { cause });
}

function queryString(query: Call['query'] = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== '');
  return given.length ? `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}` : '';
}
