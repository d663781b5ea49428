import { randomBytes } from 'node:crypto';
import { zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { BundleWriter, bundleId, decodeBundle } from './bundle.ts';
import { decodeParcel, encodeParcel, type HopId, type Parcel, type ParcelId } from './parcel.ts';

const parcelOf = (number: number, message: Uint8Array): Parcel => ({
  ...{ version: 1, id: `id${number}` as ParcelId, hopId: `hop${number}` as HopId, hop: 1, account: 'acme' },
  ...{ pool: 'mail/main', sendingDomain: 'acme.test', priorityClass: 'bulk', acceptedAt: number },
  ...{ from: 's@acme.test', smtpUtf8: false, isNotification: false },
  recipients: [
    { address: `r${number}@x.test`, attempts: 2, dueAt: 5, lastReply: '450 later', stickySource: null },
  ],
  message: Buffer.from(message),
});

function encodeBundle(parcels: readonly Parcel[]): Buffer {
  const writer = new BundleWriter();
  for (const parcel of parcels) writer.add(parcel);
  return writer.take();
}

const two = ['one', 'two'].map((text, number) => parcelOf(number, Buffer.from(text)));
const encoded = two.map(encodeParcel);

test('what goes in comes out, in its order', () =>
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 30 }), (messages) => {
      const parcels = messages.map((message, number) => parcelOf(number, message));
      expect(decodeBundle(encodeBundle(parcels))).toEqual(parcels);
    }),
  ));

test('a single parcel goes as a parcel, which every release reads', () => {
  const parcel = parcelOf(1, Buffer.from('m'));
  expect(decodeParcel(encodeBundle([parcel]))).toEqual(parcel);
  expect(decodeBundle(encodeParcel(parcel))).toEqual([parcel]);
});

test('a release that knows no bundles refuses one, so that it stays in its stream', () => {
  const bundle = encodeBundle(two);
  expect(() => decodeParcel(bundle)).toThrow(RangeError);
});

/** As the release before compression wrote it. */
const plain = (parcels: readonly Buffer[]): Buffer =>
  Buffer.concat([lengthOf(0x5046_4201), ...parcels.flatMap((parcel) => [lengthOf(parcel.length), parcel])]);

function lengthOf(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

test('a bundle that was not compressed is read all the same', () => {
  expect(decodeBundle(plain(encoded))).toEqual(two);
});

test('and one that was compressed without its length', () => {
  const zipped = zstdCompressSync(plain(encoded).subarray(4));
  expect(decodeBundle(Buffer.concat([lengthOf(0x5046_4202), zipped]))).toEqual(two);
});

test('a writer makes one bundle after the other, of any size, and forgets what was not taken', () => {
  const writer = new BundleWriter();
  for (const bytes of [3_000_000, 10, 5_000_000]) {
    writer.add(parcelOf(9, Buffer.from('not taken')));
    writer.begin();
    const parcels = [parcelOf(1, randomBytes(bytes)), parcelOf(2, randomBytes(bytes))];
    for (const parcel of parcels) writer.add(parcel);
    const found = decodeBundle(writer.take());
    expect(found.map(({ hopId }) => hopId)).toEqual(parcels.map(({ hopId }) => hopId));
    // Byte by byte, jest would take half a minute.
    expect(found.every(({ message }, n) => message.equals(parcels[n]?.message ?? Buffer.of()))).toBe(true);
  }
});

test('parcels that are alike take little more than one', () => {
  const text = randomBytes(10_000);
  const parcels = Array.from({ length: 20 }, (_, number) => parcelOf(number, text));
  expect(encodeBundle(parcels).length).toBeLessThan(12_000);
});

test('a bundle that is cut off anywhere is refused whole', () => {
  const bundle = encodeBundle(two);
  for (let length = 0; length < bundle.length; length += 7)
    expect(() => decodeBundle(bundle.subarray(0, length))).toThrow(RangeError);
  const uncompressed = plain(encoded);
  const second = 4 + 4 + (encoded[0]?.length ?? 0);
  for (let length = 0; length < uncompressed.length; length++)
    if (length !== second) expect(() => decodeBundle(uncompressed.subarray(0, length))).toThrow(RangeError);
});

test('a bundle in which a byte has changed is refused whole', () => {
  const bundle = Buffer.from(encodeBundle(two));
  for (let at = 4; at < bundle.length; at += 3) {
    const changed = Buffer.from(bundle);
    changed.writeUInt8(changed.readUInt8(at) ^ 0x55, at);
    expect(() => decodeBundle(changed)).toThrow(RangeError);
  }
});

test('what would be far larger than a bundle is not decompressed', () => {
  const bomb = zstdCompressSync(Buffer.alloc(64 * 1024 * 1024));
  for (const head of [[0x5046_4202], [0x5046_4203, 64 * 1024 * 1024], [0x5046_4203, 100]])
    expect(() => decodeBundle(Buffer.concat([...head.map(lengthOf), bomb]))).toThrow(RangeError);
});

test('the id does not depend on the order, and a single parcel keeps its own', () => {
  const [a, b] = ['a', 'b'] as [HopId, HopId];
  expect(bundleId([a, b])).toBe(bundleId([b, a]));
  expect(bundleId([a, b])).not.toBe(bundleId([a]));
  expect(bundleId([a])).toBe(a);
});
