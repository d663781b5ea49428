// The reading side: everything that stands in a shard's memory up to this moment.
import { randomUUID } from 'node:crypto';
import type { Bus } from '../../bus/client.ts';
import { memoryStream, memorySubject, type PoolKey } from '../../bus/names.ts';
import { decodeChunk, encodeChunk, ID_BYTES } from './chunk.ts';
import { IdSet } from './id-set.ts';

const AT_ONCE = 500;
const EXPIRES_MS = 2000;
/** A reading that has not come to its end by then is begun anew: a change of leader can leave a request without an answer. */
const DEADLINE_MS = 30_000;
const NANOS_PER_MS = 1_000_000;

/**
 * Reads the memory of a shard. First it writes an empty chunk: the place that this gets in the stream, confirmed by a majority, is behind
 * everything that was confirmed before, so that no server that lags can hide some of it. Rejects when the end is not reached.
 */
export async function readMemory(
  bus: Pick<Bus, 'js' | 'manager'>,
  pool: PoolKey,
  shard: number,
): Promise<IdSet> {
  const stream = memoryStream(pool);
  const subject = memorySubject(pool, shard);
  const { seq: end } = await bus.js.publish(subject, encodeChunk([]), { expect: { streamName: stream } });
  const name = `read-${randomUUID()}`;
  const manager = await bus.manager();
  await manager.consumers.add(stream, {
    name,
    filter_subject: subject,
    ack_policy: 'none',
    deliver_policy: 'all',
    inactive_threshold: DEADLINE_MS * NANOS_PER_MS,
    mem_storage: true,
    num_replicas: 1,
  });
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Error(`the memory of shard ${shard} was not read within ${DEADLINE_MS} ms`)),
    DEADLINE_MS,
  );
  const state = { ended: false };
  try {
    return await Promise.race([readUntil(bus, stream, name, end, state), late.promise]);
  } finally {
    clearTimeout(timer);
    state.ended = true;
  }
}

async function readUntil(
  { js }: Pick<Bus, 'js'>,
  stream: string,
  name: string,
  end: number,
  state: { readonly ended: boolean },
): Promise<IdSet> {
  const consumer = await js.consumers.get(stream, name);
  const ids = new IdSet();
  while (!state.ended) {
    const messages = await consumer.fetch({ max_messages: AT_ONCE, expires: EXPIRES_MS });
    for await (const { data, seq } of messages) {
      const chunk = decodeChunk(data);
      for (let at = 0; at < chunk.length; at += ID_BYTES) ids.add(chunk, at);
      if (seq >= end) {
        messages.stop();
        return ids;
      }
    }
  }
  return ids;
}
