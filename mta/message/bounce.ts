// What delivery asks ingress for when a recipient is final without delivery: a delivery status notification (RFC 3464), which
// only ingress can sign. Published to BOUNCES as JSON with the bounce id as its message id.
import { digestOf, type ParcelId } from './parcel.ts';

export const BOUNCE_VERSION = 1;

export type BounceKind = 'bounced' | 'expired';

/** More of the original's headers than this is not returned to the sender. */
export const ORIGINAL_HEADERS_MAX_BYTES = 65_536;

export interface BounceRequest {
  readonly version: typeof BOUNCE_VERSION;
  readonly parcelId: ParcelId;
  readonly recipient: string;
  readonly kind: BounceKind;
  /** SendingPool as namespace/name. */
  readonly pool: string;
  readonly sendingDomain: string;
  readonly account: string;
  /** The original envelope sender: who gets the notification. Never empty. */
  readonly from: string;
  /** Base64 of the original's header section, at most ORIGINAL_HEADERS_MAX_BYTES. */
  readonly originalHeaders: string;
  /** Enhanced status code of RFC 3463, such as `5.1.1`. */
  readonly status: string;
  /** The last reply of the remote server, or what stood in the way. */
  readonly reply: string | null;
  /** The host that gave the reply. */
  readonly remoteMta: string | null;
  /** ms since the epoch. */
  readonly acceptedAt: number;
  readonly attempts: number;
}

/** The id of a bounce: the same parcel, recipient and kind always give the same, so that a repeat is recognised. */
export function bounceId(parcelId: ParcelId, recipient: string, kind: BounceKind): string {
  return digestOf(`${parcelId}\n${recipient}\n${kind}`);
}

export function encodeBounce(request: BounceRequest): Buffer {
  return Buffer.from(JSON.stringify(request));
}

/** Reads a bounce request. Throws RangeError on a form it does not know. */
export function decodeBounce(bytes: Uint8Array): BounceRequest {
  const request = JSON.parse(Buffer.from(bytes).toString('utf8')) as BounceRequest;
  if (request.version !== BOUNCE_VERSION)
    throw new RangeError(`bounce version ${request.version} is unknown here`);
  if (!request.from || !request.recipient || !request.sendingDomain)
    throw new RangeError('bounce lacks from, recipient or sendingDomain');
  return request;
}

/** The header section of a message as base64, cut at a line end when it is too long. */
export function headersForBounce(message: Buffer): string {
  const end = message.indexOf('\r\n\r\n');
  const headers = message.subarray(0, end < 0 ? message.length : end + 2);
  if (headers.length <= ORIGINAL_HEADERS_MAX_BYTES) return headers.toString('base64');
  const cut = headers.lastIndexOf('\r\n', ORIGINAL_HEADERS_MAX_BYTES - 2);
  return headers.subarray(0, cut < 0 ? 0 : cut + 2).toString('base64');
}
