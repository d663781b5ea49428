// How far the consumers of shards are: what a restarted delivery container has to be given again (decide/restart.ts).
import type { JetStreamManager } from '@nats-io/jetstream';
import { mailStream, type PoolKey, TRANSFER_CLASS } from '../../mta/bus/names.ts';
import type { ConsumerView } from '../observe/world.ts';
import { orMissing } from './assets.ts';

/** The consumers of these shards, one for each class and one for transfers; those that do not exist are left out. */
export async function readConsumers(
  manager: Pick<JetStreamManager, 'consumers'>,
  pool: PoolKey,
  shards: readonly number[],
  classes: readonly { readonly name: string }[],
): Promise<ReadonlyMap<number, readonly ConsumerView[]>> {
  const names = [...classes.map(({ name }) => name), TRANSFER_CLASS];
  const ofShard = async (shard: number) =>
    [shard, (await Promise.all(names.map((name) => readOne(manager, pool, shard, name)))).flat()] as const;
  return new Map(await Promise.all(shards.map(ofShard)));
}

async function readOne(
  manager: Pick<JetStreamManager, 'consumers'>,
  pool: PoolKey,
  shard: number,
  name: string,
): Promise<ConsumerView[]> {
  const info = await orMissing(manager.consumers.info(mailStream(pool, shard), name));
  return info ? [{ name, delivered: info.delivered.stream_seq, ackFloor: info.ack_floor.stream_seq }] : [];
}
