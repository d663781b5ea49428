// Reads and a watch that overtake each other: what is kept is never older than what is known.
import type { KV, KvEntry } from '@nats-io/kv';
import { pino } from 'pino';
import { Fleet } from './fleet.ts';

const POOL = 'mail/demo';
const snapshot = (revision: number): KvEntry =>
  ({
    key: 'pool.mail_demo',
    operation: 'PUT',
    revision,
    json: () => ({ version: 1, shards: revision }),
  }) as unknown as KvEntry;

/** A bucket whose answers and changes come when the test says. */
class Bucket {
  readonly asked: ((entry: KvEntry) => void)[] = [];
  readonly begun = Promise.withResolvers<void>();
  #tell: (entry: KvEntry) => void = () => {};
  get(): Promise<KvEntry> {
    return new Promise((resolve) => this.asked.push(resolve));
  }
  async watch(): Promise<AsyncIterable<KvEntry>> {
    await this.begun.promise;
    let next = Promise.withResolvers<KvEntry>();
    this.#tell = (entry) => {
      next.resolve(entry);
      next = Promise.withResolvers();
    };
    return (async function* () {
      for (;;) yield await next.promise;
    })();
  }
  change(revision: number): void {
    this.#tell(snapshot(revision));
  }
  answer(revision: number): void {
    this.asked.shift()?.(snapshot(revision));
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
let bucket: Bucket;
let fleet: Fleet;
let now: number;
beforeEach(() => {
  bucket = new Bucket();
  now = 0;
  fleet = new Fleet(
    async () => bucket as unknown as KV,
    pino({ level: 'silent' }),
    () => now,
  );
});
afterEach(() => fleet.stop());

/** The shards that the pool has for ingress; the bucket answers with `revision` if it is asked. */
async function shards(revision: number): Promise<number | undefined> {
  const read = fleet.pool(POOL);
  await turn();
  bucket.answer(revision);
  return (await read)?.shards;
}

test('what was read is kept', async () => {
  void fleet.watch();
  bucket.begun.resolve();
  await turn();
  expect(await shards(1)).toBe(1);
  expect(await shards(2)).toBe(1);
});

test('what was read before the watch began is asked for again', async () => {
  void fleet.watch();
  expect(await shards(1)).toBe(1);
  bucket.begun.resolve();
  await turn();
  expect(await shards(2)).toBe(2);
  expect(await shards(3)).toBe(2);
});

test('an answer that was under way when the watch began is used once', async () => {
  void fleet.watch();
  const early = fleet.pool(POOL);
  await turn();
  bucket.begun.resolve();
  await turn();
  bucket.answer(1);
  expect((await early)?.shards).toBe(1);
  expect(await shards(2)).toBe(2);
});

test('an answer that a change has overtaken does not replace it', async () => {
  void fleet.watch();
  bucket.begun.resolve();
  await turn();
  expect(await shards(1)).toBe(1);
  now = 100_000;
  const late = fleet.pool(POOL);
  await turn();
  bucket.change(3);
  await turn();
  bucket.answer(2);
  expect((await late)?.shards).toBe(3);
  expect(await shards(4)).toBe(3);
});

test('a bucket that was wiped and counts anew is believed', async () => {
  void fleet.watch();
  bucket.begun.resolve();
  await turn();
  expect(await shards(9)).toBe(9);
  now = 100_000;
  expect(await shards(1)).toBe(1);
});
