// A parcel: the signed message and its envelope with all recipients. One accepted transaction is one parcel is one
// publish. The same form carries mail from ingress to delivery (hop 0) and from pod to pod on a drain (hop 1, 2, …).
import { hash } from 'node:crypto';

export const PARCEL_VERSION = 1;

/** Identifies the accepted transaction for its whole life: 32 hex characters. */
export type ParcelId = string & { readonly brand: 'ParcelId' };
/** Identifies one hand-over of one parcel: 32 hex characters. Never reused by a later hop (see docs/hand-overs.md). */
export type HopId = string & { readonly brand: 'HopId' };

/** One recipient with what has happened to it so far; a hand-over keeps all of it. Times are ms since the epoch. */
export interface Recipient {
  readonly address: string;
  readonly attempts: number;
  /** When the next attempt is due; null: at once. A transfer never makes it earlier. */
  readonly dueAt: number | null;
  /** The last reply of a remote server, for the bounce that may come. */
  readonly lastReply: string | null;
  /** The source address of the last deferred attempt: a greylisted message returns from it. */
  readonly stickySource: string | null;
  /** The source address that was refused for its own reputation: another is tried, once. Absent: none was. */
  readonly avoidSource?: string | undefined;
}

export interface ParcelHeader {
  readonly version: typeof PARCEL_VERSION;
  readonly id: ParcelId;
  readonly hopId: HopId;
  readonly hop: number;
  readonly account: string;
  /** SendingPool as namespace/name. */
  readonly pool: string;
  readonly sendingDomain: string;
  readonly priorityClass: string;
  /** When ingress accepted it; never changed by a hand-over. */
  readonly acceptedAt: number;
  readonly from: string;
  readonly smtpUtf8: boolean;
  /** A delivery status notification itself: it is never answered by another (RFC 5321 §6.1). */
  readonly isNotification: boolean;
  /** Its sender says that it is wanted: it comes first where an address is warmed up. Absent: not marked. */
  readonly engaged?: true | undefined;
  readonly recipients: readonly Recipient[];
}

export interface Parcel extends ParcelHeader {
  /** The RFC 5322 message as it goes out, CRLF line ends, signed. */
  readonly message: Buffer;
}

/** `u32 header length (big endian) | header as JSON | message`. */
export function encodeParcel(parcel: Parcel): Buffer {
  return Buffer.concat([encodeHead(parcel), parcel.message]);
}

/** What stands before the message. */
export function encodeHead(parcel: Parcel): Buffer {
  const { message: _, ...header } = parcel;
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.allocUnsafe(4);
  length.writeUInt32BE(json.length);
  return Buffer.concat([length, json]);
}

/** Reads a parcel; the message is a view on `bytes`. Throws RangeError on a form it does not know. */
export function decodeParcel(bytes: Uint8Array): Parcel {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = buffer.length < 4 ? -1 : buffer.readUInt32BE(0);
  if (length < 0 || 4 + length > buffer.length)
    throw new RangeError(`parcel of ${buffer.length} bytes is cut off`);
  const header = JSON.parse(buffer.toString('utf8', 4, 4 + length)) as ParcelHeader;
  if (header.version !== PARCEL_VERSION)
    throw new RangeError(
      `parcel version ${header.version} is unknown here (this release reads ${PARCEL_VERSION})`,
    );
  return { ...header, message: buffer.subarray(4 + length) };
}

/** 32 hex characters, of the same text always the same. */
export const digestOf = (text: string): string => hash('sha256', text).slice(0, 32);

/** The id of the next hand-over of these recipients of this parcel: the same question always gives the same id. */
export function nextHopId(hopId: HopId, addresses: readonly string[]): HopId {
  return digestOf(`${hopId}\n${[...addresses].sort().join('\n')}`) as HopId;
}

/** The shard of a parcel: a hash of its id, and never chosen again on failure. */
export function shardOf(id: ParcelId, shards: number): number {
  return Number.parseInt(id.slice(0, 8), 16) % shards;
}
