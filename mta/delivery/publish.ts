// Publishing with a message id, until it is known that it is stored. A failed publish is unknown, not "not stored"; the same id
// makes the repeat harmless.
import type { Bus } from '../bus/client.ts';
import type { Publish } from './ports.ts';

const TIMEOUT_MS = 5000;

/** @param bus gives the bus once it is connected. A server that is not proven durable is not entrusted with anything. */
export function publisher(bus: () => Bus | null): Publish {
  return async (subject, data, messageId, stream) => {
    const connected = bus();
    const obstacle = connected ? connected.obstacle() : 'not connected';
    if (!connected || obstacle) throw new Error(`NATS: ${obstacle}`);
    await connected.js.publish(subject, data, {
      msgID: messageId,
      expect: { streamName: stream },
      timeout: TIMEOUT_MS,
      retries: 2,
    });
  };
}
