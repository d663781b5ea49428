// Publishing with a message id, until it is known that it is stored. A failed publish is unknown, not "not stored"; the same id
// makes the repeat harmless.
import type { Bus } from '../bus/client.ts';
import type { Publish } from './ports.ts';

const TIMEOUT_MS = 5000;

/** @param bus gives the bus once it is connected. A server that is not proven durable is not entrusted with anything. */
export function publisher(bus: () => Bus | null): Publish {
  return async (subject, data, messageId, stream) => {
    await trusted(bus()).js.publish(subject, data, {
      ...(messageId !== null && { msgID: messageId }),
      expect: { streamName: stream },
      timeout: TIMEOUT_MS,
      retries: 2,
    });
  };
}

/** The bus, when it may be entrusted with mail. @throws with what is in the way */
export function trusted(bus: Bus | null): Bus {
  const obstacle = bus ? bus.obstacle() : 'not connected';
  if (!bus || obstacle) throw new Error(`NATS: ${obstacle}`);
  return bus;
}
