import type { PairLimits, PairRecord } from '../../policy/limits/pair.ts';
import type { RecordStore } from '../record_store.ts';
import { PairKeeper, type Predecessor } from './pair_keeper.ts';
import { PairConflict } from './record_keeper.ts';

const LIMITS = {
  connections: 2,
  messagesPerConnection: 50,
  attemptsPerMinute: null,
  messages: { minute: 100 },
};
const FREE = { ...LIMITS, messages: {} };
const ASKER = { pod: 'p', account: '' };
const NOBODY = () => ({ grantsEndAt: now, connections: 0 });
let now = 0;
const warned: unknown[] = [];
beforeEach(() => {
  now = 0;
  warned.length = 0;
});

/** A record with compare-and-set, whose answers can be lost and which can be away. */
class Shelf implements RecordStore<PairRecord> {
  record: PairRecord | null = null;
  revision = 0;
  mode: 'Works' | 'Away' | 'AnswerLost' = 'Works';
  async read() {
    if (this.mode === 'Away') throw new Error('NATS: disconnected');
    return { record: this.record, revision: this.revision };
  }
  async write(record: PairRecord, revision: number) {
    if (this.mode === 'Away') throw new Error('NATS: disconnected');
    if (revision !== this.revision) throw new PairConflict(`not ${revision}`);
    this.record = structuredClone(record);
    this.revision++;
    if (this.mode === 'AnswerLost') throw new Error('timeout');
    return this.revision;
  }
}
const keeperOn = (store: Shelf, epoch: number) =>
  new PairKeeper({
    ...{ address: '192.0.2.1', provider: 'google', store, now: () => now, wallNow: () => 1e12 + now },
    writer: { uid: `uid-${epoch}`, epoch },
    warn: (error) => warned.push(error),
  });
async function opened(
  store: Shelf,
  epoch = 1,
  limits: PairLimits = LIMITS,
  before: () => Predecessor = NOBODY,
) {
  const keeper = keeperOn(store, epoch);
  await keeper.load(limits, before);
  if (!keeper.pair) throw new Error(keeper.failure ?? 'no pair');
  return { keeper, pair: keeper.pair };
}
const grant = (pair: NonNullable<PairKeeper['pair']>, want: number) => pair.grant(ASKER, now, want);
/** Grants, writing slices as they are asked for; how many recipients that were. */
async function drawn({ keeper, pair }: Awaited<ReturnType<typeof opened>>, want: number): Promise<number> {
  let got = 0;
  for (let round = 0; round < 2 * want && got < want; round++) {
    const answer = grant(pair, want - got);
    if (answer.verdict === 'reserve') await keeper.reserve();
    if (answer.verdict !== 'granted') continue;
    got += answer.grant.recipients;
    answer.grant.end(now);
  }
  return got;
}

test('a slice is written before it is granted from', async () => {
  const shelf = new Shelf();
  const { keeper, pair } = await opened(shelf);
  expect(grant(pair, 10).verdict).toBe('reserve');
  await keeper.reserve();
  expect(shelf.record).toMatchObject({ messages: { reserved: 5 }, writer: { uid: 'uid-1', epoch: 1 } });
  expect(grant(pair, 10)).toMatchObject({ verdict: 'granted', grant: { recipients: 5 } });
});

test('a successor counts what was used and what was reserved, and never more goes out', async () => {
  const shelf = new Shelf();
  const first = await opened(shelf);
  expect(await drawn(first, 58)).toBe(58);
  const second = await opened(shelf, 2);
  expect(second.pair.used('minute', now)).toBeGreaterThanOrEqual(58);
  expect(second.pair.used('minute', now)).toBeLessThanOrEqual(63);
  const rest = await drawn(second, 100);
  expect(58 + rest).toBeLessThanOrEqual(100);
  expect(58 + rest).toBeGreaterThanOrEqual(95);
});

test('a release gives the slice back', async () => {
  const shelf = new Shelf();
  const first = await opened(shelf);
  await drawn(first, 52);
  await first.keeper.release();
  expect((await opened(shelf, 2)).pair.used('minute', now)).toBe(52);
});

test('without NATS: goes on within what is reserved, and not beyond; an unknown limit is not guessed', async () => {
  const shelf = new Shelf();
  const { keeper, pair } = await opened(shelf);
  await keeper.reserve();
  shelf.mode = 'Away';
  expect(grant(pair, 3).verdict).toBe('granted');
  expect(grant(pair, 3).verdict).toBe('granted');
  now += 61_000; // the connections are still open; a third would be one too many
  const unread = keeperOn(shelf, 1);
  await unread.load(LIMITS, NOBODY);
  expect(unread.pair).toBeNull();
  expect(unread.failure).toContain('disconnected');
  await keeper.reserve();
  expect(keeper.mayRetry).toBe(false);
  expect(warned).toHaveLength(2);
});

test('without NATS and without durable limits mail flows', async () => {
  const shelf = new Shelf();
  shelf.mode = 'Away';
  const { pair } = await opened(shelf, 1, FREE);
  expect(grant(pair, 20)).toMatchObject({ verdict: 'granted', grant: { recipients: 20 } });
});

test('a write whose answer was lost gives nothing, and the next one goes on from what is there', async () => {
  const shelf = new Shelf();
  const { keeper, pair } = await opened(shelf);
  shelf.mode = 'AnswerLost';
  await keeper.reserve();
  expect(grant(pair, 1).verdict).toBe('reserve');
  shelf.mode = 'Works';
  now += 1000;
  await keeper.reserve();
  expect(shelf.record).toMatchObject({ messages: { reserved: 5 } });
  expect(grant(pair, 1).verdict).toBe('granted');
});

test('a former holder, paused and back, can reserve nothing over its successor', async () => {
  const shelf = new Shelf();
  const first = await opened(shelf);
  await first.keeper.reserve();
  const second = await opened(shelf, 2);
  await second.keeper.reserve();
  const record = structuredClone(shelf.record);
  for (let tries = 0; tries < 3; tries++) {
    now += 1000;
    await first.keeper.reserve();
  }
  expect(shelf.record).toEqual(record);
  expect(first.keeper.failure).toContain('under epoch 2, not 1');
});

test('a holder that names a lower epoch than the record knows gets no pair', async () => {
  const shelf = new Shelf();
  await (await opened(shelf, 7)).keeper.reserve();
  const liar = keeperOn(shelf, 3);
  await liar.load(LIMITS, NOBODY);
  expect(liar.pair).toBeNull();
});

test('what a predecessor has handed over and still open counts until it says that it is gone', async () => {
  const shelf = new Shelf();
  const first = await opened(shelf);
  await first.keeper.reserve();
  expect(grant(first.pair, 5).verdict).toBe('granted');
  await first.keeper.release();
  const { pair } = await opened(shelf, 2, LIMITS, () => ({ grantsEndAt: now + 780_000, connections: 1 }));
  now += 120_000;
  expect(pair.connections(now)).toBe(1);
  expect(pair.used('minute', now)).toBe(5);
  pair.setInherited(now, 0);
  expect([pair.connections(now), pair.used('minute', now)]).toEqual([0, 5]);
  now += 61_000;
  expect(pair.used('minute', now)).toBe(0);
});

test('a limit that changes opens no fresh budget', async () => {
  const opening = await opened(new Shelf());
  expect(await drawn(opening, 40)).toBe(40);
  opening.pair.setLimits({ ...LIMITS, messages: { minute: 50 } });
  expect(await drawn(opening, 50)).toBeLessThanOrEqual(10);
});
