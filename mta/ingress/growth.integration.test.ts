// Shards grow while mail comes in: each message is stored once, in the shard that its id has under the count that ingress knew.
import { until } from '../../e2e/rig/servers.ts';
import { FLEET_BUCKET, mailStream, mailSubjects, poolSnapshotKey } from '../bus/names.ts';
import type { PoolSnapshot } from '../bus/snapshot.ts';
import { decodeParcel, shardOf } from '../message/parcel.ts';
import { Client } from './test_client.ts';
import { http, POOL, SHARDS, startTestbed, type Testbed } from './testbed.ts';

const GROWN = SHARDS * 2;
const from = 'ann@send.example';
let bed: Testbed;

beforeAll(async () => {
  bed = await startTestbed({ horizonMs: 2000 });
}, 60_000);
afterAll(() => bed?.stop(), 60_000);

const text = (n: number | string) =>
  `From: ann@send.example\r\nTo: bob@x.example\r\nMessage-ID: <growth-${n}@client>\r\n\r\nHello\r\n`;
const login = () => Client.authenticated(bed.ingress.ports.submissions, bed.keyId, bed.token);

async function writeShards(shards: number): Promise<void> {
  const kv = await bed.bus.kv(FLEET_BUCKET);
  const key = poolSnapshotKey(POOL);
  const now = (await kv.get(key))?.json<PoolSnapshot>();
  await kv.put(key, JSON.stringify({ ...now, shards }));
}

async function makeStreams(): Promise<void> {
  const manager = await bed.bus.manager();
  for (let shard = SHARDS; shard < GROWN; shard++)
    await manager.streams.add({
      ...{ name: mailStream(POOL, shard), subjects: [mailSubjects(POOL, shard)], retention: 'workqueue' },
      ...{ discard: 'new', duplicate_window: 120e9 },
    });
}

/** Everything stored in the shards from `first` on, with the shard where it is. */
async function stored(first = 0): Promise<{ id: string; shard: number; subject: string }[]> {
  const manager = await bed.bus.manager();
  const all: { id: string; shard: number; subject: string }[] = [];
  for (let shard = first; shard < GROWN; shard++) {
    const info = await manager.streams.info(mailStream(POOL, shard)).catch(() => null);
    for (let seq = 1; seq <= (info?.state.last_seq ?? 0); seq++) {
      const message = await manager.streams.getMessage(mailStream(POOL, shard), { seq });
      if (!message) continue;
      const { id, message: content } = decodeParcel(message.data);
      all.push({ id, shard, subject: /<growth-(\w+)@client>/.exec(String(content))?.[1] ?? '' });
    }
  }
  return all;
}

test('a snapshot that runs ahead of its streams: mail of the missing shards is refused for now and stored nowhere else', async () => {
  await writeShards(GROWN);
  const client = await login();
  const answers = new Map<string, string>();
  const refused = () => [...answers].filter(([, answer]) => answer.startsWith('451'));
  // Ingress hears of the new count a moment after it is written.
  for (let n = 0; refused().length < 2 && n < 1000; n++) {
    const subject = `ahead${n}`;
    answers.set(subject, await client.send(from, ['bob@x.example'], text(subject)));
  }
  const kinds = new Set([...answers.values()].map((answer) => answer.slice(0, 9)));
  expect([refused().length, [...kinds].sort()]).toEqual([2, ['250 2.6.0', '451 4.3.0']]);
  const accepted = [...answers].filter(([, answer]) => answer.startsWith('250')).map(([subject]) => subject);
  const now = await stored();
  expect(now.map(({ subject }) => subject).sort()).toEqual(accepted.sort());
  expect(now.every(({ id, shard }) => shardOf(id as never, GROWN) === shard)).toBe(true);
  await makeStreams();
  for (const [subject] of refused())
    expect(await client.send(from, ['bob@x.example'], text(subject))).toMatch(/^250/);
  client.end();
  expect((await stored()).map(({ subject }) => subject).sort()).toEqual([...answers.keys()].sort());
}, 120_000);

test('under load: everything that is accepted is stored once, and the new shards get their part', async () => {
  await writeShards(SHARDS);
  const probe = async () => {
    const { status } = await http(
      bed.ingress.ports.http,
      JSON.stringify({ from, to: 'bob@x.example', text: 'x' }),
      { authorization: `Bearer ${bed.token}`, 'content-type': 'application/json' },
    );
    expect(status).toBe(202);
  };
  const before = (await stored()).length;
  await probe();
  const clients = await Promise.all(Array.from({ length: 6 }, login));
  let next = 0;
  const sent: string[] = [];
  const isGrown = async () => (await stored(SHARDS)).some(({ subject }) => subject.startsWith('load'));
  let enough = false;
  const load = clients.map(async (client) => {
    while (!enough) {
      const subject = `load${next++}`;
      expect(await client.send(from, ['bob@x.example'], text(subject))).toMatch(/^250/);
      sent.push(subject);
    }
    client.end();
  });
  await until('mail under the old count', async () => sent.length > 30);
  await writeShards(GROWN);
  await until('mail in a new shard', isGrown, 20_000);
  const grownAt = sent.length;
  await until('more under the new count', async () => sent.length > grownAt + 60, 20_000);
  enough = true;
  await Promise.all(load);
  const all = (await stored()).slice(0);
  const mine = all.filter(({ subject }) => subject.startsWith('load'));
  expect(mine.map(({ subject }) => subject).sort()).toEqual(sent.sort());
  expect(
    mine.every(({ id, shard }) => [SHARDS, GROWN].some((count) => shardOf(id as never, count) === shard)),
  ).toBe(true);
  expect(new Set(mine.map(({ shard }) => shard)).size).toBe(GROWN);
  expect(all.length).toBe(before + sent.length + 1);
}, 120_000);
