// What waits in a pool's streams, and closing and removing them at the end of a pool.
import type { JetStreamManager, StreamInfo } from '@nats-io/jetstream';
import {
  BOUNCE_STREAM,
  bounceSubject,
  mailStream,
  mailSubjects,
  memoryStream,
  type PoolKey,
} from '../../mta/bus/names.ts';
import { orMissing } from './assets.ts';

export interface StreamsView {
  /** Parcels in all shards, pulled but unacknowledged ones included. */
  readonly parcels: number;
  /** Bounces of this pool that wait for ingress. */
  readonly bounces: number;
  /** No stream takes new mail any more: their subjects are withdrawn. */
  readonly closed: boolean;
}

const closedSubject = (stream: string): string => `closed.${stream}`;

async function shardStreams(manager: JetStreamManager, pool: PoolKey, shards: number): Promise<StreamInfo[]> {
  const names = Array.from({ length: shards }, (_, shard) => mailStream(pool, shard));
  const found = await Promise.all(names.map((name) => orMissing(manager.streams.info(name))));
  return found.filter((info) => info !== null);
}

/** null: the pool has no streams (yet, or any more). */
export async function readStreams(
  manager: JetStreamManager,
  pool: PoolKey,
  shards: number,
): Promise<StreamsView | null> {
  const streams = await shardStreams(manager, pool, shards);
  if (streams.length === 0) return null;
  const subject = bounceSubject(pool);
  const bounces = await orMissing(manager.streams.info(BOUNCE_STREAM, { subjects_filter: subject }));
  return {
    parcels: streams.reduce((sum, { state }) => sum + state.messages, 0),
    bounces: bounces?.state.subjects?.[subject] ?? 0,
    closed: streams.every(({ config }) => config.subjects[0] === closedSubject(config.name)),
  };
}

/** Withdraws the subjects: a late publish finds no stream and is refused, so "empty" cannot become untrue afterwards. */
export async function closeStreams(manager: JetStreamManager, pool: PoolKey, shards: number): Promise<void> {
  for (const { config } of await shardStreams(manager, pool, shards))
    await manager.streams.update(config.name, { subjects: [closedSubject(config.name)] });
}

/** Gives the subjects back: a bounce that turned up late has to be stored before the streams can go. */
export async function reopenStreams(manager: JetStreamManager, pool: PoolKey, shards: number): Promise<void> {
  for (let shard = 0; shard < shards; shard++) {
    const subjects = [mailSubjects(pool, shard)];
    await orMissing(manager.streams.update(mailStream(pool, shard), { subjects }));
  }
}

/** Deletes the streams of a pool that are closed and empty, and its memory; throws when one is not. */
export async function deleteStreams(manager: JetStreamManager, pool: PoolKey, shards: number): Promise<void> {
  for (const { config, state } of await shardStreams(manager, pool, shards)) {
    if (state.messages > 0 || config.subjects[0] !== closedSubject(config.name))
      throw new Error(`stream ${config.name} is open or holds ${state.messages} parcels`);
    await manager.streams.delete(config.name);
  }
  await orMissing(manager.streams.delete(memoryStream(pool)));
}
