// Hand-overs that are interrupted: cancelled half-way, and by a NATS that goes away in the middle.
import { join } from 'node:path';
import { open } from 'lmdb';
import { until } from '../../e2e/rig/servers.ts';
import type { Bus } from '../bus/client.ts';
import { TRANSFER_CLASS } from '../bus/names.ts';
import { decodeBundle } from '../message/bundle.ts';
import { type Behaviour, type Fixture, type Pod, startFixture } from './fixture.ts';

let fixture: Fixture;

beforeAll(async () => {
  fixture = await startFixture();
}, 60_000);
afterEach(() => fixture?.reset(), 60_000);
afterAll(() => fixture?.stop(), 30_000);

const people = (count: number) => Array.from({ length: count }, (_, n) => `user${n}@later.test`).sort();

/** A pod with `count` messages of `bytes` in its spool, and what is published of them by it. */
async function loaded(
  name: string,
  count: number,
  bytes: number,
  publish: (send: () => Promise<unknown>, parcels: number) => Promise<unknown>,
) {
  const bus = await fixture.connect(`delivery-${name}`);
  fixture.afterwards(() => bus.close());
  const published: { id: string; hopId: string }[] = [];
  const js: Bus['js'] = Object.assign(Object.create(bus.js), {
    publish: (subject: string, data: Uint8Array, options: object) => {
      const send = () => bus.js.publish(subject, data, options);
      if (!subject.endsWith(`.${TRANSFER_CLASS}`)) return send();
      const bundle = decodeBundle(data).map(({ id, hopId }) => ({ id, hopId }));
      published.push(...bundle);
      return publish(send, bundle.length);
    },
  });
  const pod = await fixture.pod(name, { bus: Promise.resolve({ ...bus, js }) });
  const gate = { open: false };
  const later = Object.assign(new Error('4.3.2 not now'), { responseCode: 451 });
  const onRcptTo: Behaviour['onRcptTo'] = (_, __, done) => done(gate.open ? null : later);
  const sink = await fixture.sink('later.test', { onRcptTo });
  const message = Buffer.from(`Subject: long\r\n\r\n${'0123456789\r\n'.repeat(bytes / 12)}`);
  await Promise.all(people(count).map((one) => fixture.submit([one], { message })));
  await until('all to wait', () => {
    // On a slow machine one of them is always being tried again.
    const { spool, unacknowledged } = pod.statement();
    return spool.entries === count && unacknowledged === 0;
  });
  return { pod, sink, gate, published };
}

const member = (pod: Pod, cordoned: boolean, handOver: boolean) => ({
  pod: pod.name,
  uid: pod.uid,
  cordoned,
  handOver,
});

/** Cordons `pod`, gives its shards to `peer` once it holds none, and lets it hand its spool over. */
async function drain(pod: Pod, peer: Pod): Promise<void> {
  await fixture.assign(({ shards }) => ({
    members: [member(pod, true, false), member(peer, false, false)],
    shards: shards.map((shard) => ({ ...shard, releasing: true })),
  }));
  await until('the pod to hold no shard', () => {
    const { assignmentRevision, held, unacknowledged } = pod.statement();
    return assignmentRevision === fixture.assignment.revision && held.length === 0 && unacknowledged === 0;
  });
  await fixture.assign(() => ({
    ...fixture.allTo(peer),
    members: [member(pod, true, true), member(peer, false, false)],
  }));
}

test('cancelled: what is marked completes its hand-over, the rest stays, the shards come back, each arrives once', async () => {
  const blocked = Promise.withResolvers<void>();
  const { pod, sink, gate, published } = await loaded('a', 30, 300_000, async (send) => {
    await blocked.promise;
    return send();
  });
  const peer = await fixture.pod('b', { assign: false });
  await drain(pod, peer);
  await until('some to be marked and under way', () => published.length > 0);
  const begun = published.length;
  expect(begun).toBeLessThan(30);
  await fixture.assign(() => ({
    ...fixture.allTo(pod),
    members: [member(pod, false, false), member(peer, false, false)],
  }));
  await until('the shards to be back', () => pod.statement().held.length === 2);
  expect(pod.statement().cordoned).toBe(false);
  blocked.resolve();
  await until('the marked ones to be handed over', () => pod.statement().handedOver === begun);
  gate.open = true;
  await until('all to arrive', () => sink.mails.length === 30, 30_000);
  await until(
    'the spools to be empty',
    () => pod.statement().spool.entries + peer.statement().spool.entries === 0,
  );
  await until('the streams to be empty', async () => (await fixture.stored()) === 0);
  expect(sink.mails.flatMap(({ to }) => to).sort()).toEqual(people(30));
  // Nothing else was marked after the drain had been cancelled.
  expect(new Set(published.map(({ id }) => id)).size).toBe(begun);
  expect(await pod.metric('postfleet_handover_parcels_total')).toBe(begun);
}, 90_000);

test('taken back while cordoned: what is marked completes its hand-over, the pod delivers the rest itself', async () => {
  const blocked = Promise.withResolvers<void>();
  const { pod, sink, gate, published } = await loaded('a', 30, 300_000, async (send) => {
    await blocked.promise;
    return send();
  });
  const peer = await fixture.pod('b', { assign: false });
  await drain(pod, peer);
  await until('some to be marked and under way', () => published.length > 0);
  await fixture.assign(() => ({ members: [member(pod, true, false), member(peer, false, false)] }));
  await until('the pod to know', () => pod.statement().assignmentRevision === fixture.assignment.revision);
  const begun = published.length;
  expect(begun).toBeLessThan(30);
  gate.open = true;
  await until('the rest to arrive', () => sink.mails.length === 30 - begun, 30_000);
  blocked.resolve();
  await until('all to arrive', () => sink.mails.length === 30, 30_000);
  await until(
    'the spools to be empty',
    () => pod.statement().spool.entries + peer.statement().spool.entries === 0,
  );
  expect(pod.statement()).toMatchObject({ cordoned: true, held: [], handedOver: begun });
  expect(sink.mails.flatMap(({ to }) => to).sort()).toEqual(people(30));
}, 90_000);

test('NATS goes away in the middle: the same ids are repeated, and nothing is doubled', async () => {
  const back = Promise.withResolvers<void>();
  let answers = 2;
  let unknown = 0;
  const { pod, sink, gate, published } = await loaded('a', 80, 20_000, async (send, parcels) => {
    // Stored, and nobody knows: the answers to the first are lost, the others wait until NATS has forgotten what it had.
    if (answers-- > 0) {
      unknown += parcels;
      return send().then(() => Promise.reject(new Error('the answer is lost')));
    }
    await back.promise;
    return send();
  });
  const peer = await fixture.pod('b', { assign: false });
  await drain(pod, peer);
  await until('two bundles to be published', () => answers <= 0);
  await until('the peer to have them', () => peer.statement().spool.entries === unknown);
  expect(unknown).toBeGreaterThan(2);
  await until('and to have acknowledged them', async () => (await fixture.stored()) === 0);
  expect(pod.statement()).toMatchObject({ handedOver: 0, spool: { entries: 80 } });
  await fixture.nats.nodes[0]?.stop('SIGKILL');
  await until('the pods to notice', () => fixture.bus.obstacle() !== null);
  await fixture.nats.nodes[0]?.start();
  back.resolve();
  await until('the spool to be handed over', () => pod.statement().spool.entries === 0, 60_000);
  expect(pod.statement().handedOver).toBe(80);
  await until('the peer to hold all', () => peer.statement().spool.entries === 80, 60_000);
  gate.open = true;
  await until('all to arrive', () => sink.mails.length >= 80, 60_000);
  await until('the peer to be done', () => {
    const { spool, unacknowledged } = peer.statement();
    return spool.entries === 0 && unacknowledged === 0;
  });
  await until('the streams to be empty', async () => (await fixture.stored()) === 0, 60_000);
  expect(sink.mails.flatMap(({ to }) => to).sort()).toEqual(people(80));
  const hops = new Map<string, string[]>();
  for (const { id, hopId } of published) hops.set(id, [...(hops.get(id) ?? []), hopId]);
  expect(hops.size).toBe(80);
  expect([...hops.values()].every((ids) => new Set(ids).size === 1)).toBe(true);
  expect([...hops.values()].filter((ids) => ids.length > 1).length).toBeGreaterThanOrEqual(unknown);
}, 180_000);

test('a damaged record is left behind and said; everything else goes over', async () => {
  const { pod } = await loaded('torn', 12, 300, (send) => send());
  await pod.crash();
  await damageOne(join(fixture.folder, 'torn', 'spool'));
  const again = await fixture.pod('torn', { uid: pod.uid });
  const peer = await fixture.pod('peer', { assign: false });
  await drain(again, peer);
  await until('all others to go', () => again.statement().spool.entries === 1, 60_000);
  expect(again.statement()).toMatchObject({ handedOver: 11, spool: { unreadable: 1 } });
}, 90_000);

/** Changes one byte of a message on the disk. */
async function damageOne(folder: string): Promise<void> {
  const root = open({ path: folder, noSubdir: false, overlappingSync: false });
  const bodies = root.openDB<Buffer, string>({ name: 'bodies', encoding: 'binary' });
  const [key = ''] = [...bodies.getKeys()];
  const bytes = Buffer.from(bodies.get(key) ?? []);
  bytes.writeUInt8(bytes.readUInt8(20) ^ 1, 20);
  await bodies.put(key, bytes);
  await root.close();
}
