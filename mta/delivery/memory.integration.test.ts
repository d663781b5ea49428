// What a late publish finds after its shard has moved: the next owner knows what those before it had, although NATS has forgotten it.
import { until } from '../../e2e/rig/servers.ts';
import type { Bus } from '../bus/client.ts';
import { memorySubjects, TRANSFER_CLASS } from '../bus/names.ts';
import { type Parcel, shardOf } from '../message/parcel.ts';
import { type Fixture, KEY, type Pod, startFixture } from './fixture.ts';
import { packId } from './memory/chunk.ts';
import { readMemory } from './memory/reader.ts';
import { SHARDS } from './values.fixture.ts';

let fixture: Fixture;

beforeAll(async () => {
  fixture = await startFixture();
}, 60_000);
afterEach(() => fixture?.reset(), 60_000);
afterAll(() => fixture?.stop(), 30_000);

const member = (pod: Pod, cordoned: boolean, handOver = false) => ({ ...pick(pod), cordoned, handOver });
const pick = ({ name, uid }: Pod) => ({ pod: name, uid });

/** Takes the shards from `pod` in order; resolves when it states that it holds none. */
async function released(pod: Pod): Promise<void> {
  await fixture.assign(({ shards }) => ({
    members: [member(pod, true)],
    shards: shards.map((shard) => ({ ...shard, releasing: true })),
  }));
  await until('the shards to be given up', () => {
    const { assignmentRevision, held, unacknowledged } = pod.statement();
    return assignmentRevision === fixture.assignment.revision && held.length === 0 && unacknowledged === 0;
  });
}

/** The duplicate window of a work queue is only what is still stored: a restart forgets what was acknowledged. */
async function natsForgets(): Promise<void> {
  await fixture.nats.nodes[0]?.stop('SIGKILL');
  await until('NATS to be missed', () => fixture.bus.obstacle() !== null);
  await fixture.nats.nodes[0]?.start();
  await until('NATS to be back', () => fixture.bus.obstacle() === null);
}

/** Published again under its id, stored again, and gone from the streams without having been sent. */
async function repeated(pod: Pod, ...parcels: readonly Parcel[]): Promise<void> {
  for (const parcel of parcels) expect(await fixture.publish(parcel)).toMatchObject({ duplicate: false });
  await until('the repeats to be acknowledged', async () => (await fixture.stored()) === 0);
  await until('the pod to be calm', () => pod.statement().unacknowledged + pod.statement().inFlight === 0);
}

const idle = (pod: Pod, entries: number) =>
  until('the pod to be done', () => {
    const { spool, unacknowledged, inFlight } = pod.statement();
    return spool.entries === entries && unacknowledged === 0 && inFlight === 0;
  });

/** One mail that is delivered, and one that waits in the pod's spool. */
async function oneOfEach(pod: Pod) {
  const sink = await fixture.sink('one.test');
  const slow = Object.assign(new Error('4.3.2 not now'), { responseCode: 451 });
  await fixture.sink('later.test', { onRcptTo: (_, __, done) => done(slow) });
  await fixture.policy(pod, { retry: { intervals: ['1h'], jitter: 0 } });
  const sent = await fixture.submit(['user@one.test']);
  const waiting = await fixture.submit(['user@later.test']);
  await until('the first to arrive', () => sink.mails.length === 1);
  await idle(pod, 1);
  return { sink, sent, waiting };
}

test('a shard that moves in order: what its former owner sent, and what it still holds, is not taken again', async () => {
  const a = await fixture.pod('a');
  const { sink, sent, waiting } = await oneOfEach(a);
  await released(a);
  const b = await fixture.pod('b');
  await natsForgets();
  await repeated(b, sent, waiting);
  expect(sink.mails).toHaveLength(1);
  expect([a.statement().spool.entries, b.statement().spool.entries]).toEqual([1, 0]);
  // And back again: it goes on knowing its own, and learns what the other had.
  const other = await fixture.submit(['other@one.test']);
  await until('a third to arrive', () => sink.mails.length === 2);
  await idle(b, 0);
  await released(b);
  await fixture.assign(() => fixture.allTo(a));
  await natsForgets();
  await repeated(a, sent, waiting, other);
  expect(sink.mails).toHaveLength(2);
}, 120_000);

test('a shard whose owner is lost with its volume: what it had acknowledged before the last seconds is known', async () => {
  const a = await fixture.pod('lost');
  const { sink, sent } = await oneOfEach(a);
  const shard = shardOf(sent.id, SHARDS);
  await until('its memory to be written', async () =>
    (await readMemory(fixture.bus, KEY, shard)).has(packId(sent.hopId)),
  );
  await a.crash();
  await natsForgets();
  const b = await fixture.pod('heir', { assign: false });
  await fixture.assign(() => fixture.allTo(b, false));
  await until('the shards to be taken', () => b.statement().held.length === 2);
  await repeated(b, sent);
  expect(sink.mails).toHaveLength(1);
}, 120_000);

test('a shard is held until what was acknowledged of it is durable for the next owner', async () => {
  const bus = await fixture.connect('delivery-mute');
  fixture.afterwards(() => bus.close());
  const memory = Promise.withResolvers<void>();
  const isMemory = (subject: string) => subject.startsWith(memorySubjects(KEY).slice(0, -1));
  let begun = false;
  const js: Bus['js'] = Object.assign(Object.create(bus.js), {
    publish: async (subject: string, data: Uint8Array, options: object) => {
      // The empty chunk of a take-over passes.
      if (isMemory(subject) && data.length > 4) {
        begun = true;
        await memory.promise;
      }
      return bus.js.publish(subject, data, options);
    },
  });
  const a = await fixture.pod('mute', { bus: Promise.resolve({ ...bus, js }) });
  const sink = await fixture.sink('one.test');
  await fixture.submit(['user@one.test'], fixture.idOf(1));
  await until('it to arrive', () => sink.mails.length === 1);
  await idle(a, 0);
  await fixture.assign(({ members }) => ({ members: members.map((one) => ({ ...one, cordoned: true })) }));
  await until('one shard to be given up', () => a.statement().held.length === 1);
  await until('the memory to be under way', () => begun);
  expect(a.statement().held).toEqual([{ shard: 1, epoch: expect.any(Number), unacknowledged: 0 }]);
  memory.resolve();
  await until('the other as well', () => a.statement().held.length === 0);
}, 60_000);

test('a transfer whose answer was lost, repeated after its receiver sent it, the shard moved and NATS restarted', async () => {
  const bus = await fixture.connect('delivery-giver');
  let published = 0;
  const js: Bus['js'] = Object.assign(Object.create(bus.js), {
    publish: async (subject: string, data: Uint8Array, options: object) => {
      const answer = await bus.js.publish(subject, data, options);
      if (!subject.endsWith(`.${TRANSFER_CLASS}`)) return answer;
      published++;
      throw new Error('the answer is lost');
    },
  });
  const giver = await fixture.pod('giver', { bus: Promise.resolve({ ...bus, js }) });
  const gate = { open: false };
  const later = Object.assign(new Error('4.3.2 not now'), { responseCode: 451 });
  const sink = await fixture.sink('later.test', {
    onRcptTo: (_, __, done) => done(gate.open ? null : later),
  });
  await fixture.submit(['user@later.test']);
  await idle(giver, 1);
  await released(giver);
  const receiver = await fixture.pod('receiver', { assign: false });
  const shards = () => fixture.allTo(receiver).shards;
  await fixture.assign(() => ({
    members: [member(giver, true, true), member(receiver, false)],
    shards: shards(),
  }));
  await until('the receiver to have it', () => receiver.statement().spool.entries === 1);
  await until('the giver to have asked', () => published > 0);
  await giver.crash();
  gate.open = true;
  await until('it to arrive', () => sink.mails.length === 1, 30_000);
  await idle(receiver, 0);
  await released(receiver);
  const third = await fixture.pod('third');
  await natsForgets();
  const back = await fixture.pod('giver', { assign: false });
  expect(back.statement().spool.entries).toBe(1);
  await until('the giver to be rid of it', () => back.statement().spool.entries === 0, 30_000);
  expect(back.statement().handedOver).toBe(1);
  await until('the streams to be empty', async () => (await fixture.stored()) === 0);
  await idle(third, 0);
  expect(sink.mails).toHaveLength(1);
}, 120_000);
