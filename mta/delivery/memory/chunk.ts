// Hop ids as they are written: 16 bytes each, many in one message of the memory stream. Pure.
import { createHash } from 'node:crypto';
import type { HopId } from '../../message/parcel.ts';

export const ID_BYTES = 16;
const HEADER = 4;
const MAGIC = 0x504d; // "PM"
const VERSION = 1;

/** An id in its 16 bytes. What is no 32 hex characters (of which there should be none) goes by its hash. */
export function packId(hopId: HopId): Buffer {
  if (/^[0-9a-f]{32}$/.test(hopId)) return Buffer.from(hopId, 'hex');
  return createHash('sha256').update(hopId).digest().subarray(0, ID_BYTES);
}

/** `u16 "PM" | u8 version | u8 0 | 16 bytes an id`. */
export function encodeChunk(ids: readonly Buffer[]): Buffer {
  const header = Buffer.alloc(HEADER);
  header.writeUInt16BE(MAGIC, 0);
  header.writeUInt8(VERSION, 2);
  return Buffer.concat([header, ...ids]);
}

/** The ids one after the other. @throws RangeError for a form that this release does not know */
export function decodeChunk(bytes: Uint8Array): Buffer {
  const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (chunk.length < HEADER || chunk.readUInt16BE(0) !== MAGIC)
    throw new RangeError('this is no chunk of a memory');
  if (chunk.readUInt8(2) !== VERSION)
    throw new RangeError(
      `memory version ${chunk.readUInt8(2)} is unknown here (this release reads ${VERSION})`,
    );
  const ids = chunk.subarray(HEADER);
  if (ids.length % ID_BYTES !== 0) throw new RangeError(`a memory of ${ids.length} bytes is cut off`);
  return ids;
}
