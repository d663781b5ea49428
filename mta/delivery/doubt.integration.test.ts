// A pod is lost between the copy in its spool and the acknowledgement; its volume comes back after another pod has had the shard, or has not.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../../e2e/rig/servers.ts';
import type { Bus } from '../bus/client.ts';
import { mailStream, memoryStream, memorySubject } from '../bus/names.ts';
import { type Parcel, shardOf } from '../message/parcel.ts';
import { type Fixture, KEY, type Pod, startFixture } from './fixture.ts';
import { encodeChunk, packId } from './memory/chunk.ts';
import type { Sink } from './sink.fixture.ts';
import { CLASSES, SHARDS } from './values.fixture.ts';

let fixture: Fixture;
let one: Sink;
let two: Sink;

beforeAll(async () => {
  fixture = await startFixture();
  // Instead of 30 s: what a lost pod had in hand comes back soon.
  const { consumers } = await fixture.bus.manager();
  for (let shard = 0; shard < SHARDS; shard++)
    for (const { name } of CLASSES)
      await consumers.update(mailStream(KEY, shard), name, { ack_wait: 2_000_000_000 });
}, 60_000);
beforeEach(async () => {
  one = await fixture.sink('one.test');
  two = await fixture.sink('two.test');
});
afterEach(() => fixture?.reset(), 60_000);
afterAll(() => fixture?.stop(), 30_000);

/** A connection over which no acknowledgement is confirmed; whether one is carried out is up to the test. */
async function deaf(
  name: string,
  isCarriedOut: boolean,
): Promise<{ bus: Promise<Bus>; asked: () => number }> {
  const bus = await fixture.connect(`delivery-${name}`);
  fixture.afterwards(() => bus.close());
  let asked = 0;
  const request: Bus['nc']['request'] = async (subject, payload, options) => {
    if (!subject.startsWith('$JS.ACK')) return bus.nc.request(subject, payload, options);
    if (isCarriedOut) await bus.nc.request(subject, payload, options);
    asked++;
    throw new Error('the answer is lost');
  };
  const nc = Object.assign(Object.create(bus.nc), { request });
  return { bus: Promise.resolve({ ...bus, nc }), asked: () => asked };
}

/** A pod that is lost with a mail for two domains in its spool, whose acknowledgement it has never heard of. */
async function lostWithCopy(name: string, isCarriedOut: boolean): Promise<Parcel> {
  const { bus, asked } = await deaf(name, isCarriedOut);
  const pod = await fixture.pod(name, { bus });
  const parcel = await fixture.submit(['user@one.test', 'user@two.test']);
  await until('the acknowledgement to be asked for', () => asked() > 0);
  const { spool, unacknowledged, inFlight } = pod.statement();
  expect([spool.entries, unacknowledged, inFlight]).toEqual([2, 1, 0]);
  await pod.crash();
  return parcel;
}

const done = (...pods: Pod[]) =>
  until(
    'nothing to be left',
    async () =>
      (await fixture.stored()) === 0 &&
      pods.every((pod) => {
        const { spool, unacknowledged, inFlight } = pod.statement();
        return spool.entries + unacknowledged + inFlight === 0;
      }),
    40_000,
  );
const copies = () => [one.mails.length, two.mails.length];

describe('the shard has gone to another pod', () => {
  test('not acknowledged: that pod gets the mail, and the copy on the old volume is not sent as well', async () => {
    await lostWithCopy('lost', false);
    const heir = await fixture.pod('heir', { assign: false });
    await fixture.assign(() => fixture.allTo(heir, false));
    await until('the mail to arrive', () => copies().join() === '1,1', 30_000);
    const back = await fixture.pod('lost', { assign: false });
    await done(back, heir);
    expect(copies()).toEqual([1, 1]);
  }, 120_000);

  test('acknowledged, and the answer lost: the copy is the only one, and goes to that pod', async () => {
    await lostWithCopy('sole', true);
    expect(await fixture.stored()).toBe(0);
    const heir = await fixture.pod('heir', { assign: false });
    await fixture.assign(() => fixture.allTo(heir, false));
    await until('the shards to be taken', () => heir.statement().held.length === SHARDS);
    const back = await fixture.pod('sole', { assign: false });
    await done(back, heir);
    expect(copies()).toEqual([1, 1]);
  }, 120_000);

  test('back before that pod has sent it: the copy is known there, or the mail that it is redelivered', async () => {
    await lostWithCopy('quick', false);
    const heir = await fixture.pod('heir', { assign: false });
    await fixture.assign(() => fixture.allTo(heir, false));
    const back = await fixture.pod('quick', { assign: false });
    await done(back, heir);
    expect(copies()).toEqual([1, 1]);
  }, 120_000);
});

test('the volume comes back as the owner of the shard: its copy is sent, and what is redelivered is known', async () => {
  await lostWithCopy('same', false);
  const back = await fixture.pod('same', { assign: false });
  expect(back.statement().spool.entries).toBe(2);
  await fixture.assign(() => fixture.allTo(back, false));
  await done(back);
  expect(copies()).toEqual([1, 1]);
}, 120_000);

test('a release that knows no marks has worked the volume since: its copies are sent, as it would have', async () => {
  const parcel = await lostWithCopy('rolled', true);
  // What that release acknowledged is in the memory of the shard, whatever the mark of the copy says.
  const chunk = encodeChunk([packId(parcel.hopId)]);
  const shard = shardOf(parcel.id, SHARDS);
  await fixture.bus.js.publish(memorySubject(KEY, shard), chunk, {
    expect: { streamName: memoryStream(KEY) },
  });
  rmSync(join(fixture.folder, 'rolled', 'clock.json'));
  const heir = await fixture.pod('heir', { assign: false });
  await fixture.assign(() => fixture.allTo(heir, false));
  const back = await fixture.pod('rolled', { assign: false });
  await done(back, heir);
  expect(copies()).toEqual([1, 1]);
}, 60_000);

test('without an assignment a copy in doubt waits, and counts as held', async () => {
  await lostWithCopy('early', false);
  const never = new Promise<Bus>(() => {});
  const alone = await fixture.pod('early', { assign: false, bus: never });
  // Longer than it takes to send: the tick of delivery is 250 ms.
  await new Promise((resolve) => setTimeout(resolve, 1500));
  expect(alone.statement().spool.entries).toBe(2);
  expect(copies()).toEqual([0, 0]);
  await alone.stop(0).catch(() => {});
}, 60_000);
