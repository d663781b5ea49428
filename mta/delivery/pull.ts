// Pulls one class of one shard: slots from the budget, then a request for so many messages, then the next. Every request has an
// end of its own and a watchdog beyond it: a leader change can leave a pull without an answer for ever (nats.go#2063).
import type { Consumer, JetStreamClient, JsMsg } from '@nats-io/jetstream';
import type { Log } from '../../process/log.ts';
import type { Budget } from './budget.ts';

/** An idle pull waits long with few slots; a busy one is short, so that slots it does not fill come back soon. */
const IDLE_EXPIRES_MS = 10_000;
const BUSY_EXPIRES_MS = 1500;
const STUCK_AFTER_MS = 10_000;
const RETRY_MS = 1000;
const LEAST = 2;
const MOST = 64;

export interface PullParts {
  readonly js: JetStreamClient;
  readonly budget: Budget;
  readonly log: Log;
  readonly stream: string;
  readonly consumer: string;
  readonly priorityClass: string;
  /** Takes a message in; true: it keeps its slot until it leaves the hand. */
  readonly take: (message: JsMsg) => boolean;
}

/** Runs until `signal` is aborted. Never rejects. */
export async function pull(parts: PullParts, signal: AbortSignal): Promise<void> {
  const { budget, log, stream, consumer: name } = parts;
  let consumer: Consumer | null = null;
  let want = LEAST;
  while (!signal.aborted) {
    const slots = await budget.acquire(parts.priorityClass, want, signal);
    if (slots === 0) break;
    const kept = { received: 0, slots: 0 };
    try {
      consumer ??= await parts.js.consumers.get(stream, name);
      await fetchOnce(parts, consumer, slots, kept, signal);
    } catch (error) {
      // Missing stream, lost leader, no connection, stuck: start over with a new handle.
      log.debug({ stream, consumer: name, err: error }, 'pull ended');
      consumer = null;
    }
    budget.release(slots - kept.slots);
    want = kept.received >= slots ? Math.min(MOST, want * 2) : LEAST;
    if (!consumer) await pause(RETRY_MS, signal);
  }
}

async function fetchOnce(
  parts: PullParts,
  consumer: Consumer,
  slots: number,
  kept: { received: number; slots: number },
  signal: AbortSignal,
): Promise<void> {
  const expires = slots > LEAST ? BUSY_EXPIRES_MS : IDLE_EXPIRES_MS;
  const messages = await consumer.fetch({
    max_messages: slots,
    expires,
    idle_heartbeat: Math.round(expires / 3),
  });
  const stop = () => messages.stop();
  const watchdog = setTimeout(() => messages.stop(new Error('the pull is stuck')), expires + STUCK_AFTER_MS);
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  try {
    for await (const message of messages) {
      // What comes after the stop stays unacknowledged, and goes to the shard's next owner.
      if (signal.aborted) break;
      kept.received++;
      if (parts.take(message)) kept.slots++;
    }
  } finally {
    clearTimeout(watchdog);
    signal.removeEventListener('abort', stop);
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end, { once: true });
  });
}
