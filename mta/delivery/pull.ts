// Pulls one class of one shard: slots from the budget, then a request for so many messages, then the next. Every request has an
// end of its own and a watchdog beyond it: a leader change can leave a pull without an answer for ever (nats.go#2063).
import type { Consumer, JetStreamClient, JsMsg } from '@nats-io/jetstream';
import type { Log } from '../../process/log.ts';
import { TRANSFER_CLASS } from '../bus/names.ts';
import type { Budget } from './budget.ts';
import type { Incarnation, Incarnations } from './incarnation.ts';
import type { Origin } from './message.ts';
import { pause } from './pause.ts';
import type { MailMessage } from './ports.ts';

/** An idle pull waits long with few slots; a busy one is short, so that slots it does not fill come back soon. */
const IDLE_EXPIRES_MS = 10_000;
const BUSY_EXPIRES_MS = 1500;
const STUCK_AFTER_MS = 10_000;
const RETRY_MS = 1000;
const HASTY_MS = 200;
/** Between two requests the end of stream and consumer is heard of by nobody: after this long they are looked at again. */
const UNHEARD_MS = 100;
const LEAST = 2;
const MOST = 64;
/** A bundle of a transfer is as large as 100 messages. */
const MOST_BUNDLES = 2;

export interface PullParts {
  readonly js: JetStreamClient;
  readonly budget: Budget;
  readonly log: Log;
  readonly stream: string;
  readonly consumer: string;
  readonly priorityClass: string;
  readonly incarnations: Pick<Incarnations, 'check' | 'connection'>;
  readonly adopt: (message: JsMsg, origin: Origin) => MailMessage;
  /** Takes a message in; true: it keeps its slot until it leaves the hand. */
  readonly take: (message: MailMessage) => boolean;
}

/** What requests go to. */
interface Handle extends Origin {
  readonly consumer: Consumer;
  readonly connection: AbortSignal;
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
  let handle: Handle | null = null;
  let heard = performance.now();
  let want = LEAST;
  while (!signal.aborted) {
    const slots = await budget.acquire(parts.priorityClass, want, signal);
    if (slots === 0) break;
    const kept: Kept = { received: 0, slots: 0, closed: false };
    const began = performance.now();
    try {
      if (handle && began - heard > UNHEARD_MS) handle = await stillThere(parts, handle);
      handle ??= await handleOf(parts);
      await fetchOnce(parts, handle, slots, kept, signal);
    } catch (error) {
      // Missing stream, lost leader, no connection, stuck: start over with a new handle.
      log.debug({ stream, consumer: name, err: error }, 'pull ended');
      handle = null;
    }
    heard = performance.now();
    if (handle?.connection.aborted) handle = null;
    budget.release(slots - kept.slots);
    want = kept.received >= slots ? Math.min(most, want * 2) : LEAST;
    // A request that ends at once and empty (no leader for the moment) must not be repeated as fast as the network goes.
    const hasty = kept.received === 0 && performance.now() - began < HASTY_MS;
    if (!handle || hasty) await pause(handle ? HASTY_MS : RETRY_MS, signal);
  }
}

/** The stream first: a consumer that is asked for after it is no older. What comes by a request to it is of this stream, or of none. */
async function handleOf({ js, incarnations, stream, consumer: name }: PullParts): Promise<Handle> {
  const { connection } = incarnations;
  const incarnation: Incarnation = await incarnations.check(stream);
  const consumer = await js.consumers.get(stream, name);
  const { created } = await consumer.info(true);
  return { incarnation, consumer, connection, consumerMadeAt: Date.parse(created) };
}

/** Null: it is another stream, or has to be asked for over another connection. All who pull the shard share one question. */
async function stillThere({ incarnations, stream }: PullParts, handle: Handle): Promise<Handle | null> {
  const incarnation = await incarnations.check(stream, UNHEARD_MS);
  return incarnation === handle.incarnation && !handle.connection.aborted ? handle : null;
}

async function fetchOnce(
  parts: PullParts,
  handle: Handle,
  slots: number,
  kept: Kept,
  signal: AbortSignal,
): Promise<void> {
  const expires = slots > LEAST ? BUSY_EXPIRES_MS : IDLE_EXPIRES_MS;
  const { connection } = handle;
  const messages = await handle.consumer.fetch({
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
  // Over the next connection the library would ask again by itself, whatever stands under the names by then.
  for (const end of [signal, connection]) end.addEventListener('abort', stop, { once: true });
  if (signal.aborted || connection.aborted) stop();
  try {
    // Not left to the iterator: one that has lost its request may not hear of the stop either.
    await Promise.race([takeAll(parts, messages, handle, kept, signal), stuck.promise]);
  } finally {
    kept.closed = true;
    clearTimeout(watchdog);
    for (const end of [signal, connection]) end.removeEventListener('abort', stop);
  }
}

async function takeAll(
  { adopt, take }: PullParts,
  messages: AsyncIterable<JsMsg>,
  origin: Origin,
  kept: Kept,
  signal: AbortSignal,
): Promise<void> {
  for await (const delivered of messages) {
    const message = adopt(delivered, origin);
    // What comes after the stop goes to the shard's next owner, at once.
    if (signal.aborted || kept.closed) message.nak();
    else {
      kept.received++;
      if (take(message)) kept.slots++;
    }
  }
}
