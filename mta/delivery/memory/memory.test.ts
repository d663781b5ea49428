import fc from 'fast-check';
import { log } from '../../../process/log.ts';
import type { HopId } from '../../message/parcel.ts';
import { decodeChunk, encodeChunk, ID_BYTES, packId } from './chunk.ts';
import { IdSet } from './id-set.ts';
import { Journal } from './journal.ts';
import { ShardMemory } from './memory.ts';

const idOf = (n: number): HopId => n.toString(16).padStart(32, '0') as HopId;
const hopId = fc
  .uint8Array({ minLength: ID_BYTES, maxLength: ID_BYTES })
  .map((bytes) => Buffer.from(bytes).toString('hex') as HopId);

test('property: a chunk gives back its ids, whatever they are', () => {
  fc.assert(
    fc.property(fc.array(hopId, { maxLength: 40 }), (ids) => {
      const read = decodeChunk(encodeChunk(ids.map(packId)));
      expect(read.toString('hex')).toBe(ids.join(''));
    }),
  );
});

test.each([
  ['another form', Buffer.from('{"version":1}')],
  ['another version', Buffer.from([0x50, 0x4d, 2, 0])],
  ['a piece of an id', Buffer.concat([encodeChunk([]), Buffer.alloc(7)])],
  ['nothing', Buffer.alloc(0)],
])('%s is refused', (_, bytes) => {
  expect(() => decodeChunk(bytes)).toThrow(RangeError);
});

test('an id that is none still has a place of its own', () => {
  const odd = packId('not hex' as HopId);
  expect(odd).toHaveLength(ID_BYTES);
  expect(odd).not.toEqual(packId('not hex either' as HopId));
});

/** Few first words, so that ids crowd at the same places; the id of zeros among them. */
const crowded = fc
  .tuple(fc.constantFrom(0, 1, 1023, 1024, 0xffffffff), fc.nat(3), fc.nat(3), fc.nat(300))
  .map((words) => words.map((word) => word.toString(16).padStart(8, '0')).join('') as HopId);

test('property: a set of ids is what a Set of them is', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(crowded, hopId), { maxLength: 3000 }),
      fc.array(crowded),
      (added, asked) => {
        const ids = new IdSet();
        for (const id of added) ids.add(packId(id));
        const model = new Set(added);
        expect(ids.size).toBe(model.size);
        for (const id of [...added, ...asked]) expect(ids.has(packId(id))).toBe(model.has(id));
      },
    ),
    { numRuns: 60 },
  );
});

describe('the journal', () => {
  /** A stream that takes what it is told to. */
  function streamed() {
    const written: { shard: number; ids: number }[] = [];
    const state = { down: false };
    const journal = new Journal(async (shard, chunk) => {
      await Promise.resolve();
      if (state.down) throw new Error('no answer');
      written.push({ shard, ids: decodeChunk(chunk).length / ID_BYTES });
    });
    return { journal, written, state };
  }

  test('a flush ends when everything added before it is durable, in chunks of at most 4,096', async () => {
    const { journal, written } = streamed();
    for (let n = 0; n < 5000; n++) journal.add(3, idOf(n));
    journal.add(4, idOf(1));
    await journal.flush(3);
    expect(written).toEqual([
      { shard: 3, ids: 4096 },
      { shard: 3, ids: 904 },
    ]);
    expect(journal.shards).toEqual([4]);
  });

  test('what is added while a chunk is written goes with the next', async () => {
    const { journal, written } = streamed();
    journal.add(0, idOf(1));
    const first = journal.flush(0);
    journal.add(0, idOf(2));
    await Promise.all([first, journal.flush(0)]);
    expect(written.reduce((sum, { ids }) => sum + ids, 0)).toBe(2);
    expect(journal.waiting).toBe(0);
  });

  test('an unknown outcome keeps the ids, and the same are written again', async () => {
    const { journal, written, state } = streamed();
    state.down = true;
    journal.add(0, idOf(1));
    await expect(journal.flush(0)).rejects.toThrow('no answer');
    expect(journal.waiting).toBe(1);
    state.down = false;
    await journal.flush(0);
    expect(written).toEqual([{ shard: 0, ids: 1 }]);
  });

  test('it says when so much waits that nothing more should be acknowledged', async () => {
    const { journal } = streamed();
    for (let n = 0; n < 65_536; n++) {
      expect(journal.isFull).toBe(false);
      journal.add(n % 7, idOf(n));
    }
    expect(journal.isFull).toBe(true);
    await Promise.all(journal.shards.map((shard) => journal.flush(shard)));
    expect(journal.isFull).toBe(false);
  });
});

describe('the memory of a shard', () => {
  function remembering(read: () => Promise<IdSet>) {
    const clock = { now: 0 };
    const memory = new ShardMemory({
      ...{ write: async () => {}, read, monotonic: () => clock.now, log, obstacle: () => {} },
    });
    return { memory, clock };
  }
  const inherited = async () => {
    const ids = new IdSet();
    ids.add(packId(idOf(1)));
    return ids;
  };

  test('knows what was read of that shard, until it is another’s', async () => {
    const { memory } = remembering(inherited);
    expect(memory.knows(0, idOf(1))).toBe(false);
    expect(await memory.load(0, new AbortController().signal)).toBe(true);
    expect([memory.knows(0, idOf(1)), memory.knows(0, idOf(2)), memory.knows(1, idOf(1))]).toEqual([
      true,
      false,
      false,
    ]);
    memory.forget(0);
    expect(memory.knows(0, idOf(1))).toBe(false);
    await memory.stop(100);
  });

  test('a reading that comes after the shard was taken away counts for nothing', async () => {
    const end = new AbortController();
    const { memory } = remembering(async () => {
      end.abort();
      return inherited();
    });
    expect(await memory.load(0, end.signal)).toBe(false);
    expect(memory.knows(0, idOf(1))).toBe(false);
    await memory.stop(100);
  });

  test('a reading that fails is begun again', async () => {
    let failures = 1;
    const { memory } = remembering(async () => {
      if (failures-- > 0) throw new Error('no leader');
      return inherited();
    });
    expect(await memory.load(0, new AbortController().signal)).toBe(true);
    expect(memory.knows(0, idOf(1))).toBe(true);
    await memory.stop(100);
  });
});
