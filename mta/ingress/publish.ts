// One publish with an honest answer. A failed publish is not "not stored" but unknown: the server may have stored it and only
// the answer was lost. So it is repeated with the same id, which the stream recognises; a refusal is given only when nothing
// can have been stored, and when it stays unknown nobody is told anything.
import { setTimeout as pause } from 'node:timers/promises';
import { JetStreamApiError, type PubAck } from '@nats-io/jetstream';
import { publishRepeats } from './metrics.ts';
import { OutcomeUnknown, Refused } from './refusal.ts';

export interface PublishPort {
  /** JetStream's publish, one attempt. */
  publish(
    subject: string,
    data: Uint8Array,
    options: { msgID: string; expect: { streamName: string }; timeout: number },
  ): Promise<Pick<PubAck, 'duplicate'>>;
  /** Why nothing may be published now, or null. */
  obstacle(): string | null;
  /** Largest payload the server takes. */
  maxPayload(): number;
}

export interface Publication {
  readonly subject: string;
  readonly stream: string;
  readonly id: string;
  readonly data: Buffer;
}

const ATTEMPT_MS = 5000;
/** Also for the last attempt before the horizon: one that has no time to be answered makes a certain refusal unknown. */
const LEAST_ATTEMPT_MS = 1000;
const REPEAT_MS = 250;
/** For how long a stream without a leader is waited for. */
const LEADER_MS = 5000;
/** What the NATS headers need of the payload limit. */
const HEADER_ROOM = 4096;

type Outcome =
  | { readonly kind: 'stored'; readonly duplicate: boolean }
  | { readonly kind: 'refused'; readonly refused: Refused; readonly again: boolean }
  | { readonly kind: 'unknown' };

/**
 * Publishes; resolves when it is stored, with whether it was before.
 * @throws Refused when certainly nothing is stored, OutcomeUnknown when that could not be found out within the horizon.
 */
export async function publishOnce(
  port: PublishPort,
  what: Publication,
  horizonMs: number,
): Promise<{ duplicate: boolean }> {
  refuseBefore(port, what);
  const start = performance.now();
  const end = start + horizonMs;
  // Once an attempt may have been stored, no later refusal can take that back.
  let maybeStored = false;
  for (;;) {
    const left = end - performance.now();
    const outcome = await attempt(port, what, Math.max(LEAST_ATTEMPT_MS, Math.min(ATTEMPT_MS, left)));
    if (outcome.kind === 'stored') return { duplicate: outcome.duplicate };
    if (outcome.kind === 'unknown') maybeStored = true;
    else if (!maybeStored && (!outcome.again || performance.now() - start > LEADER_MS)) throw outcome.refused;
    publishRepeats.inc();
    if (!(await untilPossible(port, end)))
      throw maybeStored
        ? new OutcomeUnknown(`publish ${what.id} to ${what.stream}`)
        : unavailable(port.obstacle());
  }
}

function refuseBefore(port: PublishPort, { data }: Publication): void {
  const obstacle = port.obstacle();
  if (obstacle !== null) throw unavailable(obstacle);
  if (data.length + HEADER_ROOM > port.maxPayload())
    throw new Refused('tooLarge', 'the message with its envelope is larger than the queue takes');
}

const unavailable = (obstacle: string | null): Refused =>
  new Refused('unavailable', 'the queue is not available, try again later', { cause: obstacle });

async function attempt(port: PublishPort, what: Publication, timeout: number): Promise<Outcome> {
  const { subject, data, id, stream } = what;
  try {
    const { duplicate } = await port.publish(subject, data, {
      msgID: id,
      expect: { streamName: stream },
      timeout,
    });
    return { kind: 'stored', duplicate };
  } catch (error) {
    return classify(error);
  }
}

/** JetStream's error codes that say for certain that the message was not stored. */
const FULL = new Set([10077, 10047, 10023, 10122, 10167, 10002, 10028]);
const TOO_LARGE = new Set([10054]);
/** The stream is another or none: it is being made, or the pool is wrong. */
const NO_STREAM = new Set([10059, 10060]);

function classify(error: unknown): Outcome {
  const refused = (
    reason: 'full' | 'tooLarge' | 'unavailable',
    message: string,
    again: boolean,
  ): Outcome => ({
    kind: 'refused',
    refused: new Refused(reason, message, { cause: error }),
    again,
  });
  if (error instanceof JetStreamApiError) {
    if (FULL.has(error.code)) return refused('full', 'the queue is full, try again later', false);
    if (TOO_LARGE.has(error.code))
      return refused('tooLarge', 'the message is larger than the queue takes', false);
    if (NO_STREAM.has(error.code)) return refused('unavailable', 'the queue does not exist yet', false);
    return { kind: 'unknown' };
  }
  // "No responders": nobody was there to store it, because a leader is being elected or there is no such stream.
  if ((error as Error).name === 'JetStreamNotEnabled')
    return refused('unavailable', 'the queue is not available, try again later', true);
  return { kind: 'unknown' };
}

/** Waits a little, and then until there is no obstacle; false when the time is up. */
async function untilPossible(port: PublishPort, end: number): Promise<boolean> {
  do {
    const left = end - performance.now();
    if (left <= 0) return false;
    await pause(Math.min(REPEAT_MS, left));
  } while (port.obstacle() !== null);
  return true;
}
