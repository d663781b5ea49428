// One delivery by JetStream, as this room answers it. The library's own message acknowledges a single time, confirmed or not, and
// is dumb afterwards (nats.js 3.4, `didAck`): a confirmation lost after the shard's pulls have ended would leave its parcel
// unacknowledged for ever, and the drain waiting for it. Here each answer goes out whenever it is asked for.
import type { JsMsg } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import type { MailMessage } from './ports.ts';

const NANOS_PER_MS = 1_000_000;

/** @param nc the connection the message came over; it may be closed by the time it is answered. */
export function mailMessage(
  nc: Pick<NatsConnection, 'request' | 'publish'>,
  message: Pick<JsMsg, 'data' | 'info'>,
): MailMessage {
  // It has a reply subject, or it would have no info; only the type keeps it to itself.
  const { reply } = message as unknown as { readonly reply: string };
  const say = (payload: string) => {
    try {
      nc.publish(reply, payload);
    } catch {
      // The connection is closed: the server redelivers after ack_wait, which is what an answer could have changed.
    }
  };
  return {
    data: message.data,
    sequence: message.info.streamSequence,
    deliveries: message.info.deliveryCount,
    async ackAck({ timeout }) {
      await nc.request(reply, '+ACK', { timeout });
      return true;
    },
    working: () => say('+WPI'),
    nak: (millis = 0) => say(millis > 0 ? `-NAK {"delay":${Math.round(millis * NANOS_PER_MS)}}` : '-NAK'),
  };
}
