import { type Nats, startNats } from '../../e2e/rig/servers.ts';
import { type Bus, connectBus } from '../../mta/bus/client.ts';
import {
  BOUNCE_STREAM,
  bounceSubject,
  mailStream,
  mailSubject,
  memoryStream,
  poolKey,
} from '../../mta/bus/names.ts';
import { ensureFleetAssets, ensurePoolAssets } from './assets.ts';
import { closeStreams, deleteStreams, readStreams } from './backlog.ts';
import { FleetStore } from './fleet-store.ts';

const pool = poolKey('mail/demo');
const profile = { replicas: 1, shardMaxBytes: 1_000_000 };
const classes = [{ name: 'transactional' }, { name: 'bulk' }];

let nats: Nats;
let bus: Bus;
beforeAll(async () => {
  nats = await startNats();
  bus = await connectBus(
    {
      POSTFLEET_NATS_URL: [nats.env.POSTFLEET_NATS_URL],
      POSTFLEET_NATS_REPLICAS: 1,
      POSTFLEET_NATS_MONITOR_URL: nats.env.POSTFLEET_NATS_MONITOR_URL,
      POSTFLEET_IDENTITY_DIR: '/nowhere',
    },
    'operator',
  );
});
afterAll(async () => {
  await bus?.close();
  await nats?.stop();
});

test('streams, consumers and buckets are made, and made again changes nothing', async () => {
  const manager = await bus.manager();
  await ensureFleetAssets(bus, profile);
  await ensurePoolAssets(manager, pool, 2, classes, profile);
  const first = await manager.streams.info(mailStream(pool, 1));
  await ensureFleetAssets(bus, profile);
  await ensurePoolAssets(manager, pool, 2, classes, profile);
  const again = await manager.streams.info(mailStream(pool, 1));
  expect(again.created).toBe(first.created);
  expect(again.config).toMatchObject({
    retention: 'workqueue',
    storage: 'file',
    discard: 'new',
    max_bytes: 1_000_000,
    duplicate_window: 120e9,
    deny_delete: true,
    deny_purge: true,
  });
  const consumers = await manager.consumers.list(mailStream(pool, 1)).next();
  expect(consumers.map((c) => c.name).toSorted()).toEqual(['bulk', 'transactional', 'transfer']);
  expect(consumers[0]?.config).toMatchObject({ ack_wait: 30e9, max_deliver: -1, max_ack_pending: 1000 });
  expect((await manager.consumers.info(BOUNCE_STREAM, 'ingress')).config.ack_policy).toBe('explicit');
});

test('acknowledging still removes from a stream that denies deleting', async () => {
  await bus.js.publish(mailSubject(pool, 0, 'bulk'), 'parcel');
  expect((await readStreams(await bus.manager(), pool, 2))?.parcels).toBe(1);
  const consumer = await bus.js.consumers.get(mailStream(pool, 0), 'bulk');
  const message = await consumer.next({ expires: 5000 });
  expect(await message?.ackAck()).toBe(true);
  expect((await readStreams(await bus.manager(), pool, 2))?.parcels).toBe(0);
});

test('space grows and never shrinks; a further class and further shards are added', async () => {
  const manager = await bus.manager();
  const info = async () => (await manager.streams.info(mailStream(pool, 0))).config.max_bytes;
  await ensurePoolAssets(manager, pool, 2, classes, { ...profile, shardMaxBytes: 2_000_000 });
  expect(await info()).toBe(2_000_000);
  await ensurePoolAssets(manager, pool, 3, [...classes, { name: 'urgent' }], profile);
  expect(await info()).toBe(2_000_000);
  expect((await manager.consumers.info(mailStream(pool, 2), 'urgent')).config.filter_subject).toBe(
    mailSubject(pool, 2, 'urgent'),
  );
});

test('a closed stream takes no late publish, is delivered to its end, and only then can be deleted', async () => {
  const manager = await bus.manager();
  await bus.js.publish(mailSubject(pool, 1, 'bulk'), 'parcel');
  await closeStreams(manager, pool, 3);
  await expect(bus.js.publish(mailSubject(pool, 1, 'bulk'), 'late', { timeout: 2000 })).rejects.toThrow();
  expect(await readStreams(manager, pool, 3)).toEqual({ parcels: 1, bounces: 0, closed: true });
  await expect(deleteStreams(manager, pool, 3)).rejects.toThrow('holds 1 parcels');
  const message = await (await bus.js.consumers.get(mailStream(pool, 1), 'bulk')).next({ expires: 5000 });
  expect(await message?.ackAck()).toBe(true);
  await deleteStreams(manager, pool, 3);
  await expect(manager.streams.info(memoryStream(pool))).rejects.toThrow('stream not found');
  await expect(manager.streams.info(mailStream(pool, 1))).rejects.toThrow('stream not found');
});

test('bounces that wait are counted by pool', async () => {
  expect(await readStreams(await bus.manager(), pool, 1)).toBeNull();
  await ensurePoolAssets(await bus.manager(), pool, 1, classes, profile);
  await bus.js.publish(bounceSubject(pool), 'bounce');
  await bus.js.publish(bounceSubject(poolKey('mail/other')), 'bounce');
  expect((await readStreams(await bus.manager(), pool, 1))?.bounces).toBe(1);
});

test('the fleet store writes on change only, and never over somebody else', async () => {
  const store = new FleetStore(bus);
  expect(await store.read('pool.x')).toEqual({ value: null, revision: 0 });
  expect(await store.put('pool.x', { a: 1 })).toBe(true);
  expect(await store.put('pool.x', { a: 1 })).toBe(false);
  const mine = await store.read('pool.x');
  await store.put('pool.x', { a: 2 });
  await expect(store.write('pool.x', { a: 3 }, mine.revision)).rejects.toThrow();
  await store.remove('pool.x');
  expect((await store.read('pool.x')).value).toBeNull();
  expect(await store.put('pool.x', { a: 4 })).toBe(true);
});
