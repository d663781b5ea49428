// Makes streams, consumers and buckets be as wished: idempotent, changes only what differs, and never shrinks anything.
import type { ConsumerInfo, JetStreamManager, StreamInfo } from '@nats-io/jetstream';
import { JetStreamApiError } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import type { Bus } from '../../mta/bus/client.ts';
import {
  COMPLAINTS_BUCKET,
  FLEET_BUCKET,
  LEASE_BUCKET,
  LIMITS_BUCKET,
  type PoolKey,
  WARMUP_BUCKET,
} from '../../mta/bus/names.ts';
import {
  bounceConsumerWish,
  bounceStreamWish,
  type ConsumerWish,
  mailConsumerWishes,
  mailStreamWish,
  memoryStreamWish,
  type StreamProfile,
  type StreamWish,
} from './configs.ts';

const STREAM_NOT_FOUND = 10059;
const CONSUMER_NOT_FOUND = 10014;

/** null when NATS says it does not exist; any other failure is thrown. */
export async function orMissing<T>(ask: Promise<T>): Promise<T | null> {
  try {
    return await ask;
  } catch (error) {
    if (error instanceof JetStreamApiError && [STREAM_NOT_FOUND, CONSUMER_NOT_FOUND].includes(error.code))
      return null;
    throw error;
  }
}

export async function ensureStream(manager: JetStreamManager, wish: StreamWish): Promise<StreamInfo> {
  const found = await orMissing(manager.streams.info(wish.name));
  if (!found) return manager.streams.add(wish);
  const change = streamChange(found.config, wish);
  return change ? manager.streams.update(wish.name, change) : found;
}

/** What an update has to say; null when nothing differs. Space and replicas only ever grow. */
export function streamChange(
  found: Pick<StreamWish, 'max_bytes' | 'num_replicas' | 'subjects' | 'duplicate_window' | 'discard'>,
  wish: StreamWish,
): Partial<StreamWish> | null {
  const bytes = found.max_bytes === -1 ? -1 : Math.max(found.max_bytes ?? 0, wish.max_bytes ?? 0);
  const replicas = Math.max(found.num_replicas ?? 1, wish.num_replicas ?? 1);
  const same =
    bytes === found.max_bytes &&
    replicas === found.num_replicas &&
    wish.discard === found.discard &&
    wish.duplicate_window === found.duplicate_window &&
    JSON.stringify(wish.subjects) === JSON.stringify(found.subjects);
  if (same) return null;
  const { subjects, discard, duplicate_window } = wish;
  return { subjects, discard, duplicate_window, max_bytes: bytes, num_replicas: replicas };
}

export async function ensureConsumer(
  manager: JetStreamManager,
  stream: string,
  wish: ConsumerWish,
): Promise<ConsumerInfo> {
  const found = await orMissing(manager.consumers.info(stream, wish.durable_name));
  if (!found) return manager.consumers.add(stream, wish);
  const { ack_wait, max_deliver, max_ack_pending, filter_subject } = wish;
  const settings = { ack_wait, max_deliver, max_ack_pending, ...(filter_subject && { filter_subject }) };
  const differs = Object.entries(settings).some(
    ([key, value]) => found.config[key as keyof typeof found.config] !== value,
  );
  return differs ? manager.consumers.update(stream, wish.durable_name, settings) : found;
}

/** The streams and consumers of a pool: its memory, and shards 0 … `shards` − 1, each with a consumer per class and one for transfers. */
export async function ensurePoolAssets(
  manager: JetStreamManager,
  pool: PoolKey,
  shards: number,
  classes: readonly { readonly name: string }[],
  profile: StreamProfile,
): Promise<void> {
  // One after the other: in a cluster each creation is a vote of the meta leader.
  await ensureStream(manager, memoryStreamWish(pool, profile));
  for (let shard = 0; shard < shards; shard++) {
    const wish = mailStreamWish(pool, shard, profile);
    await ensureStream(manager, wish);
    for (const consumer of mailConsumerWishes(pool, shard, classes))
      await ensureConsumer(manager, wish.name, consumer);
  }
}

/** What the whole fleet shares: the bounce stream and the buckets. */
export async function ensureFleetAssets(
  bus: Pick<Bus, 'js' | 'manager'>,
  profile: StreamProfile,
): Promise<void> {
  const manager = await bus.manager();
  const bounces = bounceStreamWish(profile);
  await ensureStream(manager, bounces);
  await ensureConsumer(manager, bounces.name, bounceConsumerWish());
  for (const bucket of [FLEET_BUCKET, LEASE_BUCKET, WARMUP_BUCKET])
    await ensureBucket(bus, manager, bucket, profile.replicas);
  await ensureBucket(bus, manager, LIMITS_BUCKET, profile.replicas, LIMITS_KEPT_MS);
  await ensureBucket(bus, manager, COMPLAINTS_BUCKET, profile.replicas, COMPLAINTS_KEPT_MS);
}

/** Egress says again every hour what is reserved; its longest window is a day. */
const LIMITS_KEPT_MS = 2 * 86_400_000;
/** A provider that gets no mail for longer has nothing to be held. */
const COMPLAINTS_KEPT_MS = 7 * 86_400_000;

async function ensureBucket(
  bus: Pick<Bus, 'js'>,
  manager: JetStreamManager,
  bucket: string,
  replicas: number,
  keptMs = 0,
): Promise<void> {
  if (await orMissing(manager.streams.info(`KV_${bucket}`))) return;
  await new Kvm(bus.js).create(bucket, {
    history: 1,
    replicas,
    storage: 'file',
    allow_direct: false,
    ttl: keptMs,
  });
}
