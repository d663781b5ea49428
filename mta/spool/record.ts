// The forms on the disk, and their keys. Keys are strings whose byte order is the order wanted; times are padded to 15 digits.
import { crc32 } from 'node:zlib';
import type { HopId, Recipient } from '../message/parcel.ts';
import type { HeldParcel, Pulled } from './port.ts';

export const FORMAT = '1';

/** A held parcel. Its recipients have records of their own beside it, its message lies in `bodies` under `body`. */
export interface ParcelRecord {
  readonly v: 1;
  readonly held: HeldParcel;
  readonly body: string;
  /** Recipients it was put with, and how many of them are not final yet. */
  readonly total: number;
  readonly left: number;
}

/** Sums over the spool, written in the transaction that changes them. */
export interface Totals {
  readonly entries: number;
  readonly parcels: number;
  readonly bytes: number;
  readonly nextBody: number;
  /** Parcels that are marked as moving. Absent: a release that did not count them has written since the spool was last empty. */
  readonly moving?: number;
}
export const NO_TOTALS: Totals = { entries: 0, parcels: 0, bytes: 0, nextBody: 1, moving: 0 };

const padded = (number: number, digits: number): string =>
  String(Math.min(Math.max(0, Math.trunc(number)), 10 ** digits - 1)).padStart(digits, '0');
const time = (ms: number): string => padded(ms, 15);
const index5 = (index: number): string => padded(index, 5);

/** A parcel's recipients stand right behind it in the table: one page holds both, most of the time. */
export const entryKey = (hopId: HopId, index: number): string => `${hopId}.${index5(index)}`;
export const entriesStart = (hopId: HopId): string => `${hopId}.`;
/** The first key behind a parcel and its recipients: `/` is the character after `.`. */
export const parcelEnd = (hopId: HopId): string => `${hopId}/`;
export const isEntryKey = (key: string): boolean => key.includes('.');
export const entryKeyParts = (key: string): { readonly hopId: HopId; readonly index: number } => {
  const dot = key.lastIndexOf('.');
  return { hopId: key.slice(0, dot) as HopId, index: Number(key.slice(dot + 1)) };
};

/** Null (at once) comes before every time. */
export const dueKey = (dueAt: number | null, hopId: HopId, index: number): string =>
  `${dueAt === null ? time(0) : time(Math.max(1, dueAt))}${entryKey(hopId, index)}`;
/** The first key that is not due yet at `now`. */
export const dueEnd = (now: number): string => time(now + 1);
export const dueKeyParts = (key: string) => ({
  dueAt: Number(key.slice(0, 15)),
  ...entryKeyParts(key.slice(15)),
});

export const acceptedKey = (acceptedAt: number, hopId: HopId): string => `${time(acceptedAt)}${hopId}`;
export const acceptedKeyTime = (key: string): number => Number(key.slice(0, 15));
export const bodyKey = (number: number): string => time(number);

/**
 * Finished ids are kept by the stretch of time they finished in, so that forgetting old ones is deleting from the front and
 * needs no second index; a look-up asks the seven or eight stretches there are.
 */
export const STRETCH_MS = 4 * 3600_000;
export const MEMORY_MS = 24 * 3600_000;
export const stretchOf = (at: number): string => padded(Math.floor(at / STRETCH_MS), 9);
export const finishedKey = (stretch: string, hopId: HopId): string => stretch + hopId;

/** In `meta`: publishes that are not acknowledged. One record for all parcels of each, so that they cost next to nothing, and a start finds them. */
const PULLED = 'pulled.';
export const pulledKey = (id: HopId): string => PULLED + id;
export const PULLED_RANGE = [PULLED, 'pulled/'] as const;
export const pulledKeyId = (key: string): HopId => key.slice(PULLED.length) as HopId;
export const encodePulled = (pulled: Pulled): string => JSON.stringify({ v: 1, ...pulled });
export function decodePulled(json: string): Pulled {
  const { shard, epoch, uid, at, hopIds } = JSON.parse(json) as Pulled;
  return { shard, epoch, uid, at, hopIds };
}

export const encodeJson = (value: ParcelRecord | Recipient | Totals): string => JSON.stringify(value);

const BODY_HEADER = 12;
const BODY_MAGIC = 0x5046; // "PF"
const BODY_VERSION = 1;

/** `u16 "PF" | u8 version | u8 0 | u32 length | u32 crc32 | message`. */
export function encodeBody(message: Uint8Array): Buffer {
  const out = Buffer.allocUnsafe(BODY_HEADER + message.length);
  out.writeUInt16BE(BODY_MAGIC, 0);
  out.writeUInt8(BODY_VERSION, 2);
  out.writeUInt8(0, 3);
  out.writeUInt32BE(message.length, 4);
  out.writeUInt32BE(crc32(message), 8);
  out.set(message, BODY_HEADER);
  return out;
}

/** The message, or what is wrong with the record. */
export function decodeBody(bytes: Buffer): { readonly message: Buffer } | { readonly fault: string } {
  if (bytes.length < BODY_HEADER || bytes.readUInt16BE(0) !== BODY_MAGIC)
    return { fault: 'it has no message header' };
  if (bytes.readUInt8(2) !== BODY_VERSION)
    return { fault: `message version ${bytes.readUInt8(2)} is unknown` };
  const message = bytes.subarray(BODY_HEADER);
  if (message.length !== bytes.readUInt32BE(4))
    return { fault: 'the message has another length than it was written with' };
  if (crc32(message) !== bytes.readUInt32BE(8)) return { fault: 'the message does not match its checksum' };
  return { message };
}
