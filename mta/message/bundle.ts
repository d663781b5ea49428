// Parcels that go to the same shard in one publish: a replicated, synced write costs a stream about as much for 10 KB as for 400,
// so a long queue is handed over fifty parcels at a time. Each keeps its own hop id, by which receivers know it, whatever it came with.
// Compressed, for every byte is encrypted, copied and written by all replicas of the stream, and parcels of a mailing are much alike.
import { createHash } from 'node:crypto';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { decodeParcel, type HopId, type Parcel } from './parcel.ts';

/** A parcel begins with the length of its header, which is never so large. */
const PLAIN = 0x5046_4201; // "PFB", version 1
const COMPRESSED = 0x5046_4202;

/** Output is made in pieces of this size: one, of most bundles. */
const chunkSize = 512 * 1024;
/** The fastest level: it takes a quarter off what does not repeat (base64), most of what does. */
const FAST = {
  chunkSize,
  params: { [constants.ZSTD_c_compressionLevel]: 1, [constants.ZSTD_c_checksumFlag]: 1 },
};
/** Many times what a hand-over puts into one. */
const MOST_BYTES = 16 * 1024 * 1024;

/**
 * Encoded parcels as one: `u32 magic and version | zstd of: for each: u32 length, parcel`, big endian; a single one goes as it is.
 * Version 1 is the same without the compression.
 */
export function encodeBundle(parcels: readonly Uint8Array[]): Uint8Array {
  const [first = new Uint8Array()] = parcels;
  if (parcels.length <= 1) return first;
  const plain = Buffer.concat(parcels.flatMap((parcel) => [u32(parcel.length), parcel]));
  return Buffer.concat([u32(COMPRESSED), zstdCompressSync(plain, { ...FAST, pledgedSrcSize: plain.length })]);
}

/** Reads a bundle or a single parcel; messages are views on one buffer. Throws RangeError on a form it does not know. */
export function decodeBundle(bytes: Uint8Array): readonly [Parcel, ...Parcel[]] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  switch (buffer.length < 4 ? null : buffer.readUInt32BE(0)) {
    case PLAIN:
      return parcelsOf(buffer.subarray(4));
    case COMPRESSED:
      return parcelsOf(decompressed(buffer.subarray(4)));
    default:
      return [decodeParcel(bytes)];
  }
}

function parcelsOf(plain: Buffer): readonly [Parcel, ...Parcel[]] {
  const parcels: Parcel[] = [];
  for (let at = 0; at < plain.length; ) {
    const length = at + 4 > plain.length ? Number.POSITIVE_INFINITY : plain.readUInt32BE(at);
    if (at + 4 + length > plain.length)
      throw new RangeError(`bundle of ${plain.length} bytes is cut off at ${at}`);
    parcels.push(decodeParcel(plain.subarray(at + 4, at + 4 + length)));
    at += 4 + length;
  }
  const [first, ...others] = parcels;
  if (!first) throw new RangeError('a bundle has no parcel in it');
  return [first, ...others];
}

function decompressed(bytes: Buffer): Buffer {
  try {
    return zstdDecompressSync(bytes, { chunkSize, maxOutputLength: MOST_BYTES });
  } catch (cause) {
    throw new RangeError(`bundle of ${bytes.length} bytes cannot be decompressed`, { cause });
  }
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
