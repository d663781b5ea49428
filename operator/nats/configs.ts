// The configuration of every stream and consumer. Pure.
import type { ConsumerConfig, StreamConfig } from '@nats-io/jetstream';
import {
  BOUNCE_CONSUMER,
  BOUNCE_STREAM,
  mailStream,
  mailSubject,
  mailSubjects,
  memoryStream,
  memorySubjects,
  type PoolKey,
  TRANSFER_CLASS,
} from '../../mta/bus/names.ts';

export type StreamWish = Partial<StreamConfig> & { readonly name: string };
export type ConsumerWish = Partial<ConsumerConfig> & { readonly durable_name: string };

export interface StreamProfile {
  readonly replicas: number;
  /** Space per shard; a full shard refuses (`discard: new`), it never drops. */
  readonly shardMaxBytes: number;
}

const SECOND = 1_000_000_000;

/** A work queue that refuses when full and from which only an acknowledgement removes a message. */
function workQueue(name: string, subjects: string[], profile: StreamProfile): StreamWish {
  return {
    name,
    subjects,
    retention: 'workqueue',
    storage: 'file',
    num_replicas: profile.replicas,
    discard: 'new',
    max_bytes: profile.shardMaxBytes,
    max_age: 0,
    duplicate_window: 120 * SECOND,
    deny_delete: true,
    deny_purge: true,
    allow_direct: false,
  };
}

export const mailStreamWish = (pool: PoolKey, shard: number, profile: StreamProfile): StreamWish =>
  workQueue(mailStream(pool, shard), [mailSubjects(pool, shard)], profile);

export const bounceStreamWish = (profile: StreamProfile): StreamWish =>
  workQueue(BOUNCE_STREAM, ['bounce.*'], profile);

/**
 * What a pool's shards have had acknowledged within a day; 16 bytes a parcel, so a quarter of a shard is enough for 97 a second in 128 MiB.
 * A pod that takes shards over has it in memory, so it is not more. Beyond it the oldest are forgotten first: it only makes
 * repeats be recognised, so it never refuses.
 */
export const memoryStreamWish = (pool: PoolKey, profile: StreamProfile): StreamWish => ({
  name: memoryStream(pool),
  subjects: [memorySubjects(pool)],
  retention: 'limits',
  storage: 'file',
  num_replicas: profile.replicas,
  discard: 'old',
  max_bytes: Math.ceil(profile.shardMaxBytes / 4),
  max_age: 24 * 3600 * SECOND,
  duplicate_window: 120 * SECOND,
  deny_delete: true,
  deny_purge: true,
  allow_direct: false,
});

/** One durable consumer; `max_deliver: -1` because an exhausted message would stay in a work queue unseen. */
function durable(name: string, filter?: string): ConsumerWish {
  return {
    durable_name: name,
    ack_policy: 'explicit',
    deliver_policy: 'all',
    ack_wait: 30 * SECOND,
    max_deliver: -1,
    max_ack_pending: 1000,
    ...(filter && { filter_subject: filter }),
  };
}

/** One consumer per class and one for transfers. */
export const mailConsumerWishes = (
  pool: PoolKey,
  shard: number,
  classes: readonly { readonly name: string }[],
): ConsumerWish[] =>
  [...classes.map(({ name }) => name), TRANSFER_CLASS].map((name) =>
    durable(name, mailSubject(pool, shard, name)),
  );

export const bounceConsumerWish = (): ConsumerWish => durable(BOUNCE_CONSUMER);
