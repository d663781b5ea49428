// Shards grow while a pod works: the new one is worked as well, what was there goes on, and hand-overs go by the new count.
import { randomUUID } from 'node:crypto';
import { until } from '../../e2e/rig/servers.ts';
import { ensurePoolAssets } from '../../operator/nats/assets.ts';
import { FLEET_BUCKET, mailStream, mailSubject } from '../bus/names.ts';
import type { AssignedMember, Assignment } from '../bus/snapshot.ts';
import { encodeParcel, type HopId, type Parcel, type ParcelId, shardOf } from '../message/parcel.ts';
import { type Behaviour, type Fixture, type Pod, startFixture } from './fixture.ts';
import { CLASSES, KEY, POLICY, POOL, poolValue, SHARDS } from './values.fixture.ts';

const GROWN = SHARDS + 1;
let fixture: Fixture;

beforeAll(async () => {
  fixture = await startFixture();
}, 60_000);
afterAll(async () => {
  await fixture?.reset();
  await fixture?.stop();
}, 60_000);

const member = ({ name, uid }: Pod, cordoned = false, handOver = false): AssignedMember => ({
  ...{ pod: name, uid, cordoned, handOver },
});
const owned = (pod: Pod, shard: number, epoch: number, former: Pod | null): Assignment['shards'][number] => ({
  ...{ shard, epoch, releasing: false, former: former && { uid: former.uid, stated: true } },
  owner: { pod: pod.name, uid: pod.uid, node: 'local' },
});

async function grow(pod: Pod): Promise<void> {
  const profile = { replicas: 1, shardMaxBytes: 1024 ** 3 };
  await ensurePoolAssets(await fixture.bus.manager(), KEY, GROWN, CLASSES, profile);
  const value = { ...poolValue, policy: POLICY, shards: GROWN };
  await (await fixture.bus.kv(FLEET_BUCKET)).put(`pool.${KEY}`, JSON.stringify(value));
  await fixture.assign(({ shards }) => ({ shards: [...shards, owned(pod, SHARDS, 1, null)] }));
}

/** Publishes to the new shard, as an ingress that knows of it. */
async function submitToNew(address: string): Promise<void> {
  let id = '';
  do id = randomUUID().replaceAll('-', '');
  while (shardOf(id as ParcelId, GROWN) !== SHARDS);
  const parcel: Parcel = {
    ...{ version: 1, id: id as ParcelId, hopId: id as HopId, hop: 0, account: 'acme', pool: POOL },
    ...{ sendingDomain: 'acme.test', priorityClass: 'bulk', acceptedAt: Date.now(), from: 's@acme.test' },
    ...{ smtpUtf8: false, isNotification: false, message: Buffer.from('Subject: x\r\n\r\nx\r\n') },
    recipients: [{ address, attempts: 0, dueAt: null, lastReply: null, stickySource: null }],
  };
  const options = { msgID: id, expect: { streamName: mailStream(KEY, SHARDS) } };
  await fixture.bus.js.publish(mailSubject(KEY, SHARDS, 'bulk'), encodeParcel(parcel), options);
}

test('mail from before, mail of the new shard, and a drain afterwards: each recipient gets it once', async () => {
  const gate = { open: false };
  const later = Object.assign(new Error('4.3.2 not now'), { responseCode: 451 });
  const onRcptTo: Behaviour['onRcptTo'] = (_, __, done) => done(gate.open ? null : later);
  const waiting = await fixture.sink('later.test', { onRcptTo });
  const open = await fixture.sink('open.test');
  const pod = await fixture.pod('a');
  await Promise.all(Array.from({ length: 30 }, (_, n) => fixture.submit([`u${n}@later.test`])));
  await until(
    'all to wait',
    () => pod.statement().spool.entries === 30 && pod.statement().unacknowledged === 0,
  );

  await grow(pod);
  await Promise.all(Array.from({ length: 10 }, (_, n) => submitToNew(`new${n}@open.test`)));
  await Promise.all(Array.from({ length: 10 }, (_, n) => fixture.submit([`old${n}@open.test`])));
  await until('mail of old and new shards to arrive', () => open.mails.length === 20);
  expect(pod.statement().held.map(({ shard }) => shard)).toEqual([0, 1, 2]);

  const peer = await fixture.pod('b', { assign: false });
  await fixture.assign(({ shards }) => ({
    members: [member(pod, true), member(peer)],
    shards: shards.map((shard) => ({ ...shard, releasing: true })),
  }));
  await until('the pod to hold no shard', () => {
    const { held, assignmentRevision } = pod.statement();
    return held.length === 0 && assignmentRevision === fixture.assignment.revision;
  });
  await fixture.assign(({ shards }) => ({
    members: [member(pod, true, true), member(peer)],
    shards: shards.map(({ shard, epoch }) => owned(peer, shard, epoch + 1, pod)),
  }));
  await until('all to be handed over', () => pod.statement().spool.entries === 0, 30_000);
  await until('the other to hold all', () => peer.statement().spool.entries === 30, 30_000);
  gate.open = true;
  await until('all to arrive', () => waiting.mails.length === 30, 30_000);
  await until(
    'the other to be done',
    () => peer.statement().spool.entries + peer.statement().unacknowledged === 0,
  );
  const to = [...waiting.mails, ...open.mails].flatMap((mail) => mail.to);
  expect(new Set(to).size).toBe(50);
  expect(to).toHaveLength(50);
}, 120_000);
