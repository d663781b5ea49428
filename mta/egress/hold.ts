// When an address may be taken, pure. The lease is a record in KV written by compare-and-set; nobody compares clocks of two
// machines. The observer counts the lease from when it *saw* the last renewal, the holder from when it *sent* it, so a
// holder that can no longer renew has stopped (and closed its connections) before anyone may follow it. An address that only
// one node can have needs no such end: while NATS is away its holder goes on, and a lock on the node keeps a second process out.
import { type AddressLease, LEASE_MS } from '../bus/snapshot.ts';

export interface LeaseTimes {
  /** From the last renewal seen to when the address may be taken. */
  readonly leaseMs: number;
  readonly renewMs: number;
  /** How much earlier than `leaseMs` a holder stops. */
  readonly marginMs: number;
  /** How often a waiting pod looks. */
  readonly pollMs: number;
}
export const LEASE_TIMES: LeaseTimes = { leaseMs: LEASE_MS, renewMs: 3_000, marginMs: 1_000, pollMs: 1_000 };

/** The record as an observer sees it. */
export interface Seen {
  readonly record: AddressLease | null;
  /** 0 when the key has never been written. */
  readonly revision: number;
  /** Monotonic time since which this revision has stood unchanged and was watched without a gap. */
  readonly sinceMs: number;
}

export type Step =
  | { readonly step: 'take'; readonly epoch: number }
  | { readonly step: 'wait'; readonly forMs: number; readonly why: string };

export function decideTake(seen: Seen, uid: string, nowMs: number, times: LeaseTimes): Step {
  const { record } = seen;
  if (!record) return { step: 'take', epoch: 1 };
  const next = { step: 'take', epoch: record.epoch + 1 } as const;
  // This pod's own, from a process before this one: a container starts only when its predecessor has ended.
  if (record.released || record.holder.uid === uid) return next;
  const left = seen.sinceMs + times.leaseMs - nowMs;
  if (left <= 0) return next;
  return { step: 'wait', forMs: Math.min(left, times.pollMs), why: `held by ${record.holder.pod}` };
}

/** What is seen after a successful read: the clock starts anew when the record changed or a read before this one failed. */
export function observe(
  before: Seen | null,
  read: { readonly record: AddressLease | null; readonly revision: number },
  nowMs: number,
): Seen {
  return { ...read, sinceMs: before?.revision === read.revision ? before.sinceMs : nowMs };
}

/** When a holder must have stopped, by its own monotonic clock; Infinity for an address that cannot move. */
export function holdEndsAt(confirmedSentMs: number, movable: boolean, times: LeaseTimes): number {
  return movable ? confirmedSentMs + times.leaseMs - times.marginMs : Number.POSITIVE_INFINITY;
}
