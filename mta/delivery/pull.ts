// Pulls one class of one shard: slots from the budget, then a request for so many messages, then the next. Every request has an
// end of its own and a watchdog beyond it: a leader change can leave a pull without an answer for ever (nats.go#2063).
import type { Consumer, JetStreamClient, JsMsg } from '@nats-io/jetstream';
import type { Log } from '../../process/log.ts';
import { TRANSFER_CLASS } from '../bus/names.ts';
import type { Budget } from './budget.ts';
import { pause } from './pause.ts';
import type { MailMessage } from './ports.ts';

/** An idle pull waits long with few slots; a busy one is short, so that slots it does not fill come back soon. */
const IDLE_EXPIRES_MS = 10_000;
const BUSY_EXPIRES_MS = 1500;
const STUCK_AFTER_MS = 10_000;
const RETRY_MS = 1000;
const HASTY_MS = 200;
const LEAST = 2;
const MOST = 64;
/** A bundle of a transfer is as large as 50 messages. */
const MOST_BUNDLES = 4;

export interface PullParts {
  readonly js: JetStreamClient;
  readonly budget: Budget;
  readonly log: Log;
  readonly stream: string;
  readonly consumer: string;
  readonly priorityClass: string;
  readonly adopt: (message: JsMsg) => MailMessage;
  /** Takes a message in; true: it keeps its slot until it leaves the hand. */
  readonly take: (message: MailMessage) => boolean;
}

/** What came of one request. */
interface Kept {
  received: number;
  /** Messages that keep their budget slot. */
  slots: number;
  /** The request is over: what still comes of it is given back. */
  closed: boolean;
}

/** Runs until `signal` is aborted. Never rejects. */
export async function pull(parts: PullParts, signal: AbortSignal): Promise<void> {
  const { budget, log, stream, consumer: name } = parts;
  const most = parts.priorityClass === TRANSFER_CLASS ? MOST_BUNDLES : MOST;
  let consumer: Consumer | null = null;
  let want = LEAST;
  while (!signal.aborted) {
    const slots = await budget.acquire(parts.priorityClass, want, signal);
    if (slots === 0) break;
    const kept: Kept = { received: 0, slots: 0, closed: false };
    const began = performance.now();
    try {
      consumer ??= await parts.js.consumers.get(stream, name);
      await fetchOnce(parts, consumer, slots, kept, signal);
    } catch (error) {
      // Missing stream, lost leader, no connection, stuck: start over with a new handle.
      log.debug({ stream, consumer: name, err: error }, 'pull ended');
      consumer = null;
    }
    budget.release(slots - kept.slots);
    want = kept.received >= slots ? Math.min(most, want * 2) : LEAST;
    // A request that ends at once and empty (no leader for the moment) must not be repeated as fast as the network goes.
    const hasty = kept.received === 0 && performance.now() - began < HASTY_MS;
    if (!consumer || hasty) await pause(consumer ? HASTY_MS : RETRY_MS, signal);
  }
}

async function fetchOnce(
  parts: PullParts,
  consumer: Consumer,
  slots: number,
  kept: Kept,
  signal: AbortSignal,
): Promise<void> {
  const expires = slots > LEAST ? BUSY_EXPIRES_MS : IDLE_EXPIRES_MS;
  const messages = await consumer.fetch({
    max_messages: slots,
    expires,
    idle_heartbeat: Math.round(expires / 3),
  });
  const stop = () => messages.stop();
  const stuck = Promise.withResolvers<never>();
  stuck.promise.catch(() => {});
  const watchdog = setTimeout(() => {
    messages.stop();
    stuck.reject(new Error('the pull is stuck'));
  }, expires + STUCK_AFTER_MS);
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  try {
    // Not left to the iterator: one that has lost its request may not hear of the stop either.
    await Promise.race([takeAll(parts, messages, kept, signal), stuck.promise]);
  } finally {
    kept.closed = true;
    clearTimeout(watchdog);
    signal.removeEventListener('abort', stop);
  }
}

async function takeAll(
  { adopt, take }: PullParts,
  messages: AsyncIterable<JsMsg>,
  kept: Kept,
  signal: AbortSignal,
): Promise<void> {
  for await (const delivered of messages) {
    const message = adopt(delivered);
    // What comes after the stop goes to the shard's next owner, at once.
    if (signal.aborted || kept.closed) message.nak();
    else {
      kept.received++;
      if (take(message)) kept.slots++;
    }
  }
}
