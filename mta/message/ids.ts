// Ids that the same question always gives again: a client that repeats because it lost our answer is recognised by them.
import { createHash, randomBytes } from 'node:crypto';
import type { HopId, ParcelId } from './parcel.ts';

export interface Submission {
  readonly account: string;
  readonly from: string;
  readonly recipients: readonly string[];
  /** As the client wrote it; null when it wrote none, and then a repeat cannot be told from a second message. */
  readonly messageId: string | null;
  /** The octets as they were received. */
  readonly content: Uint8Array;
}

/** The id of a submission: the same client, envelope, Message-ID and content give the same; random without Message-ID. */
export function parcelIdOf(submission: Submission): ParcelId {
  const { account, from, recipients, messageId, content } = submission;
  if (messageId === null) return randomBytes(16).toString('hex') as ParcelId;
  const envelope = JSON.stringify([account, from, [...recipients].sort(), messageId]);
  return digest('submission', envelope, content) as ParcelId;
}

/** The id of an HTTP submission with an Idempotency-Key: whatever its content, the key decides. */
export const parcelIdOfKey = (account: string, key: string): ParcelId =>
  digest('key', JSON.stringify([account, key])) as ParcelId;

/** The id of a notification: of the bounce it answers. */
export const parcelIdOfBounce = (bounceId: string): ParcelId => digest('bounce', bounceId) as ParcelId;

/** Hop 0 of a part of a parcel; parts are numbered from 0. */
export const firstHopId = (id: ParcelId, part = 0): HopId => digest('hop', `${id}\n${part}`) as HopId;

function digest(purpose: string, text: string, content?: Uint8Array): string {
  const hash = createHash('sha256').update(`${purpose}\n${text}\n`);
  if (content) hash.update(content);
  return hash.digest('hex').slice(0, 32);
}
