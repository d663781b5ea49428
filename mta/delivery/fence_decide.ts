// When a former owner can do no more through egress, judged from the leases as they are read one after the other. Pure.
//
// A movable address has a holder only as long as its lease is renewed: the holder counts from when it sent the renewal and closes
// every connection before the lease has run out, the observer counts from when it saw it (mta/egress/hold.ts). So a lease that
// stands still for its whole length, watched without a gap, is as good as a confirmation. A fixed address has no such end: its holder
// goes on while NATS is away. There a lease that stands still says only that nobody knows; what is sent then is counted.
import type { AddressLease } from '../bus/snapshot.ts';

export interface FenceTimes {
  /** Length of an address's lease. */
  readonly leaseMs: number;
  /** How long a connection that egress granted can live at most: after that none of the former owner's is left. */
  readonly connectionMs: number;
  /** How often leases are read and holders are asked. */
  readonly pollMs: number;
}

/** A lease as it was read. */
export interface ReadLease {
  readonly lease: AddressLease;
  /** Whether another node may take the address. */
  readonly movable: boolean;
}

/** What is known of a lease since it was last seen to change, by the monotonic clock. */
export interface SeenLease extends ReadLease {
  readonly sinceMs: number;
}
export type Seen = ReadonlyMap<string, SeenLease>;

/** Takes in a complete reading; null: it failed, and what was not watched without a gap does not count. */
export function observeLeases(before: Seen, read: readonly ReadLease[] | null, nowMs: number): Seen {
  const seen = new Map<string, SeenLease>();
  for (const one of read ?? []) {
    const known = before.get(one.lease.address);
    const same = known && isSame(known.lease, one.lease);
    seen.set(one.lease.address, { ...one, sinceMs: same ? known.sinceMs : nowMs });
  }
  return seen;
}

const isSame = (a: AddressLease, b: AddressLease): boolean =>
  a.holder.uid === b.holder.uid && a.epoch === b.epoch && a.renewals === b.renewals;

export interface FenceVerdict {
  /** Holders that must confirm before anything redelivered is sent. */
  readonly waiting: readonly AddressLease['holder'][];
  /** Addresses that are waited for no longer although nobody knows what passes through them. */
  readonly unconfirmed: readonly string[];
}

/** @param startedMs when fencing began. @param confirmed UIDs of the holders that have confirmed. */
export function decideFence(
  seen: Seen,
  confirmed: ReadonlySet<string>,
  startedMs: number,
  nowMs: number,
  times: FenceTimes,
): FenceVerdict {
  const waiting = new Map<string, AddressLease['holder']>();
  const unconfirmed: string[] = [];
  for (const [address, { lease, movable, sinceMs }] of seen) {
    // What a holder handed over is still its own to close, and has no lease to run out.
    for (const { holder } of lease.lingering ?? []) {
      if (confirmed.has(holder.uid)) continue;
      if (nowMs - startedMs >= times.connectionMs) unconfirmed.push(address);
      else waiting.set(holder.uid, holder);
    }
    if (lease.released || confirmed.has(lease.holder.uid)) continue;
    const ranOut = nowMs - sinceMs >= times.leaseMs;
    if (ranOut && movable) continue;
    if (ranOut || nowMs - startedMs >= times.connectionMs) unconfirmed.push(address);
    else waiting.set(lease.holder.uid, lease.holder);
  }
  return { waiting: [...waiting.values()], unconfirmed };
}
