// Whether and when to send a request again. Pure.
import type { Random } from './clock.ts';
import { ApiError, ConnectionError } from './errors.ts';

const FIRST_MS = 200;
const LONGEST_MS = 10_000;

/**
 * Milliseconds to wait before attempt `attempt + 1`, or null: give up. A 429 was never executed and is repeated whatever the
 * request; 5xx and a lost connection only when doing it twice is the same as once.
 */
export function retryDelay(
  error: unknown,
  attempt: number,
  idempotent: boolean,
  random: Random,
): number | null {
  if (!isRepeatable(error, idempotent)) return null;
  const asked = error instanceof ApiError ? (error.retryAfterSeconds ?? 0) * 1000 : 0;
  return Math.max(Math.min(asked, 60_000), backoffMs(attempt, FIRST_MS, LONGEST_MS, random));
}

function isRepeatable(error: unknown, idempotent: boolean): boolean {
  if (error instanceof ConnectionError) return idempotent;
  if (!(error instanceof ApiError)) return false;
  return error.status === 429 || (idempotent && error.status >= 500);
}

/** `first × 2^(attempt−1)` up to `longest`, of which the upper half is left to chance. */
export function backoffMs(attempt: number, firstMs: number, longestMs: number, random: Random): number {
  const full = Math.min(longestMs, firstMs * 2 ** Math.min(attempt - 1, 30));
  return full * (0.5 + random() / 2);
}
