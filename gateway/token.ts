// The form of a key as its holder has it: `pf_<key id>_<secret>`, a prefix for secret scanners, an id to find it by, and
// 256 random bits. Kept is only a hash.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

const FORM = /^pf_([0-9a-f]{12})_[0-9a-f]{64}$/;

export interface NewToken {
  readonly id: string;
  readonly token: string;
  readonly hash: Buffer;
  readonly last4: string;
}

export function newToken(): NewToken {
  const id = randomBytes(6).toString('hex');
  const token = `pf_${id}_${randomBytes(32).toString('hex')}`;
  return { id, token, hash: hashToken(token), last4: token.slice(-4) };
}

/** The key id within a token; null when it is none. */
export const tokenKeyId = (token: string): string | null => FORM.exec(token)?.[1] ?? null;

export const hashToken = (token: string): Buffer => createHash('sha256').update(token).digest();

/** Compares in constant time. */
export const tokenMatches = (token: string, hash: Buffer): boolean => timingSafeEqual(hashToken(token), hash);
