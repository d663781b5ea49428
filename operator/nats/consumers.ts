// How far the consumers of shards are: what a restarted delivery container has to be given again (decide/restart.ts).
import type { JetStreamManager } from '@nats-io/jetstream';
import { mailStream, type PoolKey, TRANSFER_CLASS } from '../../mta/bus/names.ts';
import type { ConsumerView } from '../observe/world.ts';
import { orMissing } from './assets.ts';

/** The consumers of these shards, one for each class and one for transfers; those that do not exist are left out. */
export async function readConsumers(
  manager: Pick<JetStreamManager, 'consumers' | 'streams'>,
  pool: PoolKey,
  shards: readonly number[],
  classes: readonly { readonly name: string }[],
): Promise<ReadonlyMap<number, readonly ConsumerView[]>> {
  const names = [...classes.map(({ name }) => name), TRANSFER_CLASS];
  const ofShard = async (shard: number) => {
    const stream = mailStream(pool, shard);
    const found = (await Promise.all(names.map((name) => readOne(manager, stream, name)))).flat();
    // Behind the consumers, so that none of them is further than it.
    const last = (await orMissing(manager.streams.info(stream)))?.state.last_seq;
    return [shard, last === undefined ? [] : found.map((one) => ({ ...one, last }))] as const;
  };
  return new Map(await Promise.all(shards.map(ofShard)));
}

async function readOne(
  manager: Pick<JetStreamManager, 'consumers'>,
  stream: string,
  name: string,
): Promise<Omit<ConsumerView, 'last'>[]> {
  const info = await orMissing(manager.consumers.info(stream, name));
  return info ? [{ name, delivered: info.delivered.stream_seq, ackFloor: info.ack_floor.stream_seq }] : [];
}
