// When a deferred recipient is tried again, and when it has waited long enough (RFC 5321 §4.5.4.1).
import { durationSeconds } from '../../resources/duration.ts';
import type { QueuePolicySpec } from '../../resources/kinds.ts';

export type RetryPolicy = Omit<QueuePolicySpec['retry'], 'otherAddress'>;
export type NextAttempt = { readonly kind: 'retry'; readonly at: number } | { readonly kind: 'expired' };

/**
 * The next attempt of a recipient that was just deferred.
 * @param attempts attempts made so far, this one included (1 after the first).
 * @param acceptedAt when ingress accepted it, ms since the epoch; never changed by a hand-over.
 * @param now ms since the epoch.
 * @param random gives a number in [0, 1).
 */
export function nextAttempt(
  policy: RetryPolicy,
  attempts: number,
  acceptedAt: number,
  now: number,
  random: () => number,
): NextAttempt {
  const expiresAt = acceptedAt + durationSeconds(policy.maxAge) * 1000;
  if (now >= expiresAt) return { kind: 'expired' };
  const wait = waitMs(policy, attempts) * (1 + policy.jitter * (2 * random() - 1));
  // A wait that would end after the expiry ends at it: one last try, and a bounce that comes when the policy says.
  return { kind: 'retry', at: Math.min(Math.round(now + wait), expiresAt) };
}

/** The wait after the given number of attempts, without jitter; the last interval repeats. */
function waitMs(policy: RetryPolicy, attempts: number): number {
  const index = Math.min(Math.max(attempts, 1), policy.intervals.length) - 1;
  const interval = policy.intervals[index];
  if (interval === undefined) throw new RangeError('a retry policy needs at least one interval');
  return durationSeconds(interval) * 1000;
}
