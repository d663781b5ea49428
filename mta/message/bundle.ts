// Parcels that go to the same shard in one publish: a replicated, synced write costs a stream about as much for 10 KB as for 256,
// so a long queue is handed over twenty parcels at a time. Each keeps its own hop id, by which receivers know it, whatever it came with.
import { createHash } from 'node:crypto';
import { decodeParcel, type HopId, type Parcel } from './parcel.ts';

/** A parcel begins with the length of its header, which is never so large. */
const MAGIC = 0x5046_4201; // "PFB", version 1

/** Encoded parcels as one: `u32 magic and version | for each: u32 length, parcel`, big endian; a single one goes as it is. */
export function encodeBundle(parcels: readonly Uint8Array[]): Uint8Array {
  const [first] = parcels;
  if (first && parcels.length === 1) return first;
  return Buffer.concat([u32(MAGIC), ...parcels.flatMap((parcel) => [u32(parcel.length), parcel])]);
}

/** Reads a bundle or a single parcel; messages are views on `bytes`. Throws RangeError on a form it does not know. */
export function decodeBundle(bytes: Uint8Array): readonly [Parcel, ...Parcel[]] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (buffer.length < 4 || buffer.readUInt32BE(0) !== MAGIC) return [decodeParcel(bytes)];
  const parcels: Parcel[] = [];
  for (let at = 4; at < buffer.length; ) {
    const length = at + 4 > buffer.length ? Number.POSITIVE_INFINITY : buffer.readUInt32BE(at);
    if (at + 4 + length > buffer.length)
      throw new RangeError(`bundle of ${buffer.length} bytes is cut off at ${at}`);
    parcels.push(decodeParcel(buffer.subarray(at + 4, at + 4 + length)));
    at += 4 + length;
  }
  const [first, ...others] = parcels;
  if (!first) throw new RangeError('a bundle has no parcel in it');
  return [first, ...others];
}

/** The id under which a bundle is published: of the same hand-overs always the same. That of a single parcel is its hop id. */
export function bundleId(hopIds: readonly HopId[]): HopId {
  const [first] = hopIds;
  if (first && hopIds.length === 1) return first;
  const hash = createHash('sha256').update([...hopIds].sort().join('\n'));
  return hash.digest('hex').slice(0, 32) as HopId;
}

function u32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
