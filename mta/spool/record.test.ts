import fc from 'fast-check';
import { hopIdOf } from './fixtures.ts';
import {
  decodeBody,
  dueEnd,
  dueKey,
  dueKeyParts,
  encodeBody,
  entryKey,
  entryKeyParts,
  parcelEnd,
} from './record.ts';

test('a message comes back from its record as it was', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2000 }), (bytes) => {
      expect(decodeBody(encodeBody(bytes))).toEqual({ message: Buffer.from(bytes) });
    }),
  );
});

test('no single changed, missing or added byte goes unnoticed, but in the unused one', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 200 }),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (bytes, at, by) => {
        const record = encodeBody(bytes);
        const changed = Buffer.from(record);
        const position = at % record.length;
        if (position === 3) return;
        changed.writeUInt8(changed.readUInt8(position) ^ by, position);
        expect(decodeBody(changed)).toHaveProperty('fault');
        expect(decodeBody(record.subarray(0, -1))).toHaveProperty('fault');
        expect(decodeBody(Buffer.concat([record, Buffer.from([by])]))).toHaveProperty('fault');
      },
    ),
  );
});

test('due keys sort by time, at once first, and are due exactly from their time on', () => {
  const dueAt = fc.option(fc.integer({ min: 1, max: 4_000_000_000_000 }), { nil: null });
  fc.assert(
    fc.property(dueAt, dueAt, fc.integer({ min: 1, max: 4_000_000_000_000 }), (a, b, now) => {
      const [keyA, keyB] = [dueKey(a, hopIdOf(1), 7), dueKey(b, hopIdOf(2), 3)];
      expect(keyA < keyB).toBe((a ?? 0) <= (b ?? 0));
      expect(keyA < dueEnd(now)).toBe(a === null || a <= now);
      expect(dueKeyParts(keyA)).toEqual({ dueAt: a ?? 0, hopId: hopIdOf(1), index: 7 });
    }),
  );
});

test("a parcel's entries lie between it and its end, in the order of their index", () => {
  const keys = [0, 1, 9, 10, 99, 10_000].map((index) => entryKey(hopIdOf(5), index));
  expect([...keys].sort()).toEqual(keys);
  expect(keys.every((key) => key > hopIdOf(5) && key < parcelEnd(hopIdOf(5)))).toBe(true);
  expect(hopIdOf(6) > parcelEnd(hopIdOf(5))).toBe(true);
  expect(entryKeyParts(entryKey(hopIdOf(5), 42))).toEqual({ hopId: hopIdOf(5), index: 42 });
});
