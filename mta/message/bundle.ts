// Parcels that go to the same shard in one publish: a replicated, synced write costs a stream about as much for 10 KB as for 400,
// so a long queue is handed over a hundred parcels at a time. Each keeps its own hop id, by which receivers know it, whatever it came with.
// Compressed, for every byte is encrypted, copied and written by all replicas of the stream, and parcels of a mailing are much alike.
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { decodeParcel, digestOf, encodeHead, type HopId, type Parcel } from './parcel.ts';

const LENGTH = 4;

/** A parcel begins with the length of its header, which is never so large. */
const PLAIN = 0x5046_4201; // "PFB", version 1
const UNMEASURED = 0x5046_4202;
const COMPRESSED = 0x5046_4203;

/** The fastest level: it takes a quarter off what does not repeat (base64), most of what does. */
const FAST = { [constants.ZSTD_c_compressionLevel]: 1, [constants.ZSTD_c_checksumFlag]: 1 };
/** Many times what a hand-over puts into one. */
const MOST_BYTES = 16 * 1024 * 1024;
const FIRST_ROOM = 1.25 * 1024 * 1024;

/**
 * Makes bundles, one after the other, in memory that it keeps: a hand-over makes thousands, and what lies outside of V8's heap
 * is collected at the price of all that lies in it.
 *
 * The form: `u32 magic and version | u32 bytes without compression | zstd of: for each: u32 length, parcel`, big endian; a single parcel goes as
 * it is. Version 2 is the same without the second number, version 1 without that and without compression.
 */
export class BundleWriter {
  #room = Buffer.alloc(0);
  #bytes = 0;
  #parcels = 0;

  /** Of the parcels added, without compression. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Begins a bundle; what was added to one that was not taken is forgotten. */
  begin(): void {
    this.#bytes = 0;
    this.#parcels = 0;
  }

  add(parcel: Parcel): void {
    const head = encodeHead(parcel);
    const { message } = parcel;
    const start = this.#bytes + LENGTH;
    const end = start + head.length + message.length;
    this.#reserve(end);
    this.#room.writeUInt32BE(end - start, this.#bytes);
    this.#room.set(head, start);
    this.#room.set(message, start + head.length);
    this.#bytes = end;
    this.#parcels++;
  }

  /** The bundle of what was added since `begin`; empty without any. */
  take(): Buffer {
    const plain = this.#room.subarray(0, this.#bytes);
    return this.#parcels > 1 ? compressed(plain) : Buffer.from(plain.subarray(LENGTH));
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#room.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(bytes, FIRST_ROOM, 2 * this.#room.length));
    this.#room.copy(larger, 0, 0, this.#bytes);
    this.#room = larger;
  }
}

function compressed(plain: Buffer): Buffer {
  const head = Buffer.allocUnsafe(2 * LENGTH);
  head.writeUInt32BE(COMPRESSED, 0);
  head.writeUInt32BE(plain.length, LENGTH);
  // Output is made in pieces of this size: one is enough, and no larger than need be.
  const chunkSize = Math.max(1024, plain.length);
  return Buffer.concat([
    head,
    zstdCompressSync(plain, { chunkSize, params: FAST, pledgedSrcSize: plain.length }),
  ]);
}

/** Reads a bundle or a single parcel; messages are views on one buffer. Throws RangeError on a form it does not know. */
export function decodeBundle(bytes: Uint8Array): readonly [Parcel, ...Parcel[]] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  switch (buffer.length < 2 * LENGTH ? null : buffer.readUInt32BE(0)) {
    case PLAIN:
      return parcelsOf(buffer.subarray(LENGTH));
    case UNMEASURED:
      return parcelsOf(decompressed(buffer.subarray(LENGTH), null));
    case COMPRESSED:
      return parcelsOf(decompressed(buffer.subarray(2 * LENGTH), buffer.readUInt32BE(LENGTH)));
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

/** @param length of what comes out; null: not known. */
function decompressed(bytes: Buffer, length: number | null): Buffer {
  const room = Math.min(length ?? FIRST_ROOM, MOST_BYTES);
  const found = unzipped(bytes, room);
  if (length !== null && found.length !== length)
    throw new RangeError(`bundle is of ${found.length} bytes and should be of ${length}`);
  return found;
}

function unzipped(bytes: Buffer, room: number): Buffer {
  try {
    // One byte more than it takes: a piece that is full makes zlib ask for another.
    return zstdDecompressSync(bytes, { chunkSize: Math.max(1024, room + 1), maxOutputLength: MOST_BYTES });
  } catch (cause) {
    throw new RangeError(`bundle of ${bytes.length} bytes cannot be decompressed`, { cause });
  }
}

/** The id under which a bundle is published: of the same hand-overs always the same. That of a single parcel is its hop id. */
export function bundleId(hopIds: readonly HopId[]): HopId {
  const [first] = hopIds;
  if (first && hopIds.length === 1) return first;
  return digestOf([...hopIds].sort().join('\n')) as HopId;
}
