import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { open } from 'lmdb';
import type { HopId } from '../message/parcel.ts';
import { CorruptRecordError, SpoolFormatError, SpoolWriteError } from './errors.ts';
import { hopIdOf, parcelOf, recipient } from './fixtures.ts';
import { type LmdbSpool, openSpool } from './lmdb.ts';
import { ModelSpool } from './model.ts';
import type { Pulled, SpoolChange } from './port.ts';

const FOREVER = 9e12;
const HOUR = 3600_000;
let dir: string;
const spools: LmdbSpool[] = [];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'spool-'));
});
afterEach(async () => {
  await Promise.all(spools.splice(0).map((spool) => spool.close()));
  rmSync(dir, { recursive: true });
});

async function openHere(clock = () => 1_800_000_000_000, reserveBytes = 0, path = dir): Promise<LmdbSpool> {
  const spool = await openSpool(path, { clock, reserveBytes });
  spools.push(spool);
  return spool;
}

/** Everything that can be seen of the real spool, in the model's form. */
function pictureOf(spool: LmdbSpool): ReturnType<ModelSpool['picture']> {
  const ids = spool.held(null, 1000);
  const { parcels, moving, entries, bytes, oldestAcceptedAt } = spool.stats();
  if (moving === null) throw new Error('it is counted');
  return {
    held: ids.map((hopId) => ({
      hopId,
      message: spool.message(hopId).toString(),
      moving: spool.parcel(hopId)?.moving ?? null,
    })),
    entries: ids.flatMap((hopId) => spool.entriesOf(hopId)),
    due: spool.due(FOREVER, 1000, () => false).map(({ hopId, index }) => `${hopId} ${index}`),
    pulled: [...spool.pulled()],
    totals: { parcels, moving, entries, bytes, oldestAcceptedAt },
  };
}

/** The picture with a form of `due` in which equal times have one order, and whether the times rise. */
function comparable(picture: ReturnType<ModelSpool['picture']>) {
  const timeOf = new Map(
    picture.entries.map(({ hopId, index, recipient: { dueAt } }) => [`${hopId} ${index}`, dueAt ?? 0]),
  );
  const due = picture.due.map((key) => ({ at: timeOf.get(key) ?? Number.NaN, key }));
  const rises = due.every(({ at }, place) => place === 0 || at >= (due[place - 1]?.at ?? 0));
  return { ...picture, rises, due: due.sort((a, b) => a.at - b.at || (a.key < b.key ? -1 : 1)) };
}

const number = fc.integer({ min: 1, max: 6 });
const dueAt = fc.option(fc.integer({ min: 1_000, max: 2_000 }), { nil: null });
const pulledAs = (epoch: number, ids: readonly number[]): Pulled => ({
  ...{ shard: 1, epoch, uid: `uid-${epoch}`, at: 1_000_000 + epoch },
  hopIds: ids.map(hopIdOf),
});
const change: fc.Arbitrary<SpoolChange> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.tuple(number, fc.array(dueAt, { maxLength: 3 }), fc.nat(99)).map(
      ([id, dues, age]): SpoolChange => ({
        kind: 'put',
        parcel: parcelOf(id, {
          acceptedAt: 1_000_000 + age,
          recipients: dues.map((due, at) => recipient(`r${at}@example.test`, due)),
          message: Buffer.from(`message ${id} of ${age}`),
        }),
      }),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(number, fc.nat(3), dueAt).map(
      ([id, index, due]): SpoolChange => ({
        kind: 'update',
        hopId: hopIdOf(id),
        index,
        recipient: { ...recipient('again@example.test', due), attempts: 1 },
      }),
    ),
  },
  {
    weight: 4,
    arbitrary: fc
      .tuple(number, fc.nat(3))
      .map(([id, index]): SpoolChange => ({ kind: 'remove', hopId: hopIdOf(id), index })),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(number, fc.option(fc.array(number, { maxLength: 3 }))).map(
      ([id, others]): SpoolChange => ({
        kind: 'pulled',
        id: hopIdOf(id),
        pulled: others && pulledAs(id, others),
      }),
    ),
  },
  { weight: 1, arbitrary: number.map((id): SpoolChange => ({ kind: 'giveBack', hopId: hopIdOf(id) })) },
  {
    weight: 1,
    arbitrary: fc.tuple(number, fc.boolean()).map(
      ([id, away]): SpoolChange => ({
        kind: 'moving',
        hopId: hopIdOf(id),
        to: away ? { hopId: hopIdOf(id + 100), shard: 3 } : null,
      }),
    ),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(number, fc.nat(HOUR))
      .map(
        ([id, ago]): SpoolChange => ({ kind: 'finished', hopId: hopIdOf(id), at: 1_800_000_000_000 - ago }),
      ),
  },
);
const step = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('commit' as const),
      changes: fc.array(change, { maxLength: 4 }),
      awaited: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'reopen' as const }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('later' as const), hours: fc.integer({ min: 1, max: 30 }) }),
  },
);

test('it behaves as the model does, whatever is done to it and however often it is reopened', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 30 }), async (steps) => {
      const path = mkdtempSync(join(dir, 'run-'));
      let now = 1_800_000_000_000;
      const model = new ModelSpool();
      let spool = await openSpool(path, { clock: () => now, reserveBytes: 0 });
      const sameKnowledge = () => {
        for (let id = 1; id <= 6; id++)
          expect([id, spool.knows(hopIdOf(id))]).toEqual([id, model.knows(hopIdOf(id), now)]);
      };
      try {
        let underWay: Promise<void>[] = [];
        for (const one of steps) {
          if (one.kind === 'commit') {
            const done = spool.commit(one.changes);
            for (const each of one.changes) model.apply(each, now);
            sameKnowledge();
            underWay.push(done);
            if (one.awaited) await done;
          } else {
            await Promise.all(underWay);
            underWay = [];
            if (one.kind === 'later') {
              now += one.hours * HOUR;
              await spool.upkeep();
            } else {
              await spool.close();
              spool = await openSpool(path, { clock: () => now, reserveBytes: 0 });
            }
            sameKnowledge();
          }
        }
        await Promise.all(underWay);
        expect(comparable(pictureOf(spool))).toEqual(comparable(model.picture()));
        sameKnowledge();
      } finally {
        await spool.close();
        rmSync(path, { recursive: true });
      }
    }),
    { numRuns: 150 },
  );
});

test('due gives the earliest first, at once before all, leaves out what is skipped and stops at the limit', async () => {
  const spool = await openHere();
  const recipients = [300, null, 100, 200].map((due, at) => recipient(`r${at}@example.test`, due));
  await spool.commit([{ kind: 'put', parcel: parcelOf(1, { recipients }) }]);
  const indexes = (now: number, limit: number, skipped: number[] = []) =>
    spool.due(now, limit, ({ index }) => skipped.includes(index)).map(({ index }) => index);
  expect(indexes(250, 10)).toEqual([1, 2, 3]);
  expect(indexes(250, 1, [1])).toEqual([2]);
  expect(indexes(100, 10)).toEqual([1, 2]);
  expect([spool.nextDue(0), spool.nextDue(100), spool.nextDue(300)]).toEqual([100, 200, null]);
});

test('what is due is looked through page by page, each entry once, also when what has been seen leaves meanwhile', async () => {
  const spool = await openHere();
  const recipients = Array.from({ length: 7 }, (_, at) => recipient(`r${at}@example.test`, 700 - 100 * at));
  await spool.commit([{ kind: 'put', parcel: parcelOf(1, { recipients }) }]);
  const first = spool.duePage(600, null, 2);
  await spool.commit([{ kind: 'remove', hopId: hopIdOf(1), index: 6 }]);
  await spool.commit([{ kind: 'remove', hopId: hopIdOf(1), index: 5 }]);
  const second = spool.duePage(600, first.place, 2);
  const third = spool.duePage(600, second.place, 3);
  const seen = [first, second, third].map(({ entries }) => entries.map(({ index }) => index));
  expect(seen).toEqual([
    [6, 5],
    [4, 3],
    [2, 1],
  ]);
  expect(third.place).toBeNull();
  expect(spool.duePage(50, null, 5)).toEqual({ entries: [], place: null });
});

test('a moving parcel is frozen: not due, not to be updated, only its entries can end; cancelled, it is due as before', async () => {
  const spool = await openHere();
  const hopId = hopIdOf(1);
  const recipients = [100, 200, 300].map((due, at) => recipient(`r${at}@example.test`, due));
  const to = { hopId: hopIdOf(101), shard: 3 };
  await spool.commit([{ kind: 'put', parcel: parcelOf(1, { recipients }) }]);
  await spool.commit([{ kind: 'moving', hopId, to }]);
  await spool.commit([{ kind: 'update', hopId, index: 0, recipient: recipient('changed@example.test', 5) }]);
  expect(spool.parcel(hopId)?.moving).toEqual(to);
  expect([spool.due(FOREVER, 10, () => false), spool.nextDue(0)]).toEqual([[], null]);
  expect(spool.entriesOf(hopId).map((entry) => entry.recipient)).toEqual(recipients);
  await spool.commit([{ kind: 'remove', hopId, index: 1 }]);
  await spool.close();
  const again = await openHere();
  expect(again.parcel(hopId)?.moving).toEqual(to);
  await again.commit([{ kind: 'moving', hopId, to: null }]);
  expect(
    again.due(FOREVER, 10, () => false).map(({ index, recipient: { dueAt } }) => [index, dueAt]),
  ).toEqual([
    [0, 100],
    [2, 300],
  ]);
});

test('an entry whose removal is under way is not due any more', async () => {
  const spool = await openHere();
  await spool.commit([{ kind: 'put', parcel: parcelOf(1) }]);
  const done = spool.commit([{ kind: 'remove', hopId: hopIdOf(1), index: 0 }]);
  expect(spool.due(FOREVER, 10, () => false)).toEqual([]);
  expect(spool.knows(hopIdOf(1))).toBe('finished');
  await done;
});

test('a note is known at once, goes with the next commit, and is on the disk after closing', async () => {
  const spool = await openHere();
  spool.note([{ kind: 'finished', hopId: hopIdOf(7), at: 1_800_000_000_000 }]);
  expect(spool.knows(hopIdOf(7))).toBe('finished');
  await spool.close();
  expect((await openHere()).knows(hopIdOf(7))).toBe('finished');
});

test('finished ids are forgotten after 24 h, in steps, and their place is free again', async () => {
  let now = 1_800_000_000_000;
  const spool = await openHere(() => now);
  const ids = Array.from({ length: 2500 }, (_, at) => hopIdOf(at + 1));
  await spool.commit(ids.map((hopId) => ({ kind: 'finished', hopId, at: now })));
  now += 24 * HOUR - 1;
  expect(spool.knows(hopIdOf(1))).toBe('finished');
  now += 1;
  expect(spool.knows(hopIdOf(1))).toBe(null);
  now += 8 * HOUR;
  // Three steps of at most 1,000; each starts the next by itself, a further one is harmless.
  for (let turn = 0; turn < 3; turn++) await spool.upkeep();
  await spool.close();
  const root = open({ path: dir, noSubdir: false, readOnly: true });
  const finished = root.openDB({ name: 'finished', encoding: 'string' });
  expect(finished.getCount()).toBe(0);
  await root.close();
});

test('a corrupt message is told apart and kept; everything else is served', async () => {
  const first = await openHere();
  await first.commit([1, 2].map((id) => ({ kind: 'put', parcel: parcelOf(id) })));
  await first.close();
  const root = open({ path: dir, noSubdir: false, overlappingSync: false });
  const bodies = root.openDB<Buffer, string>({ name: 'bodies', encoding: 'binary' });
  const [key] = [...bodies.getKeys()];
  if (key === undefined) throw new Error('no message was stored');
  const bytes = Buffer.from(bodies.get(key) ?? []);
  bytes.writeUInt8(bytes.readUInt8(20) ^ 1, 20);
  await bodies.put(key, bytes);
  await root.close();
  const spool = await openHere();
  expect(() => spool.message(hopIdOf(1))).toThrow(CorruptRecordError);
  expect(() => spool.message(hopIdOf(1))).toThrow(/does not match its checksum/);
  expect(spool.message(hopIdOf(2))).toEqual(parcelOf(2).message);
  expect(spool.knows(hopIdOf(1))).toBe('held');
});

test('a spool of a release that did not count what is moving says so until it is empty', async () => {
  const before = await openHere();
  await before.commit([1, 2].map((n) => ({ kind: 'put', parcel: parcelOf(n) })));
  await before.close();
  const raw = open({ path: dir, noSubdir: false, maxDbs: 6 });
  const meta = raw.openDB<string, string>({ name: 'meta', encoding: 'string' });
  const { moving, ...totals } = JSON.parse(meta.get('totals') ?? '{}');
  expect(moving).toBe(0);
  await meta.put('totals', JSON.stringify(totals));
  await raw.close();
  const spool = await openHere();
  expect(spool.stats().moving).toBeNull();
  await spool.commit([{ kind: 'moving', hopId: hopIdOf(1), to: { hopId: hopIdOf(9), shard: 0 } }]);
  expect(spool.stats().moving).toBeNull();
  await spool.commit([1, 2].map((n) => ({ kind: 'remove', hopId: hopIdOf(n), index: 0 })));
  expect(spool.stats().moving).toBe(0);
  await spool.commit([{ kind: 'put', parcel: parcelOf(3) }]);
  await spool.commit([{ kind: 'moving', hopId: hopIdOf(3), to: { hopId: hopIdOf(8), shard: 0 } }]);
  expect(spool.stats().moving).toBe(1);
});

test('a spool keeps its identity for as long as its volume, and another volume has another', async () => {
  const first = await openHere();
  const { id } = first.stats();
  await first.close();
  const again = await openHere();
  expect(again.stats().id).toBe(id);
  const other = await openHere(undefined, 0, join(dir, 'other'));
  expect(other.stats().id).toMatch(/^[0-9a-f-]{36}$/);
  expect(other.stats().id).not.toBe(id);
});

test('a format of another release is refused and left as it is', async () => {
  const root = open({ path: dir, noSubdir: false, overlappingSync: false });
  await root.openDB<string, string>({ name: 'meta', encoding: 'string' }).put('format', '2');
  await root.close();
  await expect(openSpool(dir)).rejects.toThrow(SpoolFormatError);
  await expect(openSpool(dir)).rejects.toThrow(/format 2; this release reads 1/);
});

test('parcels stay out of the reserve, results do not', async () => {
  const first = await openHere();
  await first.commit([{ kind: 'put', parcel: parcelOf(1) }]);
  await first.close();
  const spool = await openHere(undefined, Number.MAX_SAFE_INTEGER);
  await expect(spool.commit([{ kind: 'put', parcel: parcelOf(2) }])).rejects.toThrow(SpoolWriteError);
  expect(spool.knows(hopIdOf(2))).toBe(null);
  expect(spool.stats().failure).toMatch(/full/);
  // A redelivery of what is held changes nothing, so it needs no room.
  await spool.commit([{ kind: 'put', parcel: parcelOf(1) }]);
  await spool.commit([{ kind: 'remove', hopId: hopIdOf(1), index: 0 }]);
  expect(spool.stats().entries).toBe(0);
});

test('held goes on behind the id it is given', async () => {
  const spool = await openHere();
  const many = { recipients: [recipient('a@example.test'), recipient('b@example.test')] };
  await spool.commit([5, 3, 9, 4].map((id) => ({ kind: 'put', parcel: parcelOf(id, many) })));
  const first = spool.held(null, 2);
  const rest = spool.held(first.at(-1) as HopId, 10);
  expect([...first, ...rest]).toEqual([3, 4, 5, 9].map(hopIdOf));
});

test('after closing nothing is taken any more', async () => {
  const spool = await openHere();
  await spool.close();
  await expect(spool.commit([])).rejects.toThrow(SpoolWriteError);
});
