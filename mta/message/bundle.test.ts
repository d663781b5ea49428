import fc from 'fast-check';
import { bundleId, decodeBundle, encodeBundle } from './bundle.ts';
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

const two = ['one', 'two'].map((text, number) => encodeParcel(parcelOf(number, Buffer.from(text))));

test('what goes in comes out, in its order', () =>
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 30 }), (messages) => {
      const parcels = messages.map((message, number) => parcelOf(number, message));
      expect(decodeBundle(encodeBundle(parcels.map(encodeParcel)))).toEqual(parcels);
    }),
  ));

test('a single parcel goes as a parcel, which every release reads', () => {
  const parcel = parcelOf(1, Buffer.from('m'));
  expect(decodeParcel(encodeBundle([encodeParcel(parcel)]))).toEqual(parcel);
  expect(decodeBundle(encodeParcel(parcel))).toEqual([parcel]);
});

test('a release that knows no bundles refuses one, so that it stays in its stream', () => {
  const bundle = encodeBundle(two);
  expect(() => decodeParcel(bundle)).toThrow(RangeError);
});

test('a bundle that is cut off anywhere is refused whole', () => {
  const bundle = encodeBundle(two);
  const second = 4 + 4 + (two[0]?.length ?? 0);
  for (let length = 0; length < bundle.length; length++)
    if (length !== second) expect(() => decodeBundle(bundle.subarray(0, length))).toThrow(RangeError);
});

test('the id does not depend on the order, and a single parcel keeps its own', () => {
  const [a, b] = ['a', 'b'] as [HopId, HopId];
  expect(bundleId([a, b])).toBe(bundleId([b, a]));
  expect(bundleId([a, b])).not.toBe(bundleId([a]));
  expect(bundleId([a])).toBe(a);
});
