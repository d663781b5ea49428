// One delivery by JetStream, as this room answers it. The library's own message acknowledges a single time, confirmed or not, and
// is dumb afterwards (nats.js 3.4, `didAck`): a confirmation lost after the shard's pulls have ended would leave its parcel
// unacknowledged for ever, and the drain waiting for it. Here each answer goes out whenever it is asked for.
import type { JsMsg } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Incarnation } from './incarnation.ts';
import type { MailMessage } from './ports.ts';

const NANOS_PER_MS = 1_000_000;

/** What a message came through: nothing is said to another stream or consumer of the name. */
export interface Origin {
  readonly incarnation: Incarnation;
  /** When the consumer was made, in ms since the epoch. */
  readonly consumerMadeAt: number;
}

/**
 * @param nc the connection the message came over; it may be closed by the time it is answered.
 * @param isPulled whether this pod is the one that pulls the shard. Then a stream that is made anew is found before any of its mail is
 *   delivered; else somebody may have it already, so it is looked at before each acknowledgement.
 */
export function mailMessage(
  nc: Pick<NatsConnection, 'request' | 'publish'>,
  message: Pick<JsMsg, 'data' | 'info'>,
  { incarnation, consumerMadeAt }: Origin,
  isPulled: () => boolean,
): MailMessage {
  // It has a reply subject, or it would have no info; only the type keeps it to itself.
  const { reply } = message as unknown as { readonly reply: string };
  const say = (payload: string) => {
    if (incarnation.standing !== 'current') return;
    try {
      nc.publish(reply, payload);
    } catch {
      // The connection is closed: the server redelivers after ack_wait, which is what an answer could have changed.
    }
  };
  return {
    data: message.data,
    sequence: message.info.streamSequence,
    deliveries: deliveriesOf(message.info, consumerMadeAt),
    get isGone() {
      return incarnation.standing === 'gone';
    },
    async ackAck({ timeout }) {
      if (!isPulled()) incarnation.doubt();
      await incarnation.known(timeout);
      if (incarnation.standing === 'gone') return true;
      try {
        await nc.request(reply, '+ACK', { timeout });
      } catch (error) {
        incarnation.doubt();
        throw error;
      }
      return true;
    },
    working: () => say('+WPI'),
    nak: (millis = 0) => say(millis > 0 ? `-NAK {"delay":${Math.round(millis * NANOS_PER_MS)}}` : '-NAK'),
  };
}

/** A consumer that is younger than the message counts from 1 again: what was before it is not known, so somebody may have had it. */
function deliveriesOf({ deliveryCount, timestampNanos }: JsMsg['info'], consumerMadeAt: number): number {
  const isOlder = Math.floor(timestampNanos / NANOS_PER_MS) < consumerMadeAt;
  return isOlder ? Math.max(2, deliveryCount) : deliveryCount;
}
