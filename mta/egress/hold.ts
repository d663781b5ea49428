// When an address may be taken, pure. The lease is a record in KV written by compare-and-set; nobody compares clocks of two
// machines. The observer counts the lease from when it *saw* the last renewal, the holder from when it *sent* it, so a
// holder that can no longer renew has stopped (and closed its connections) before anyone may follow it. An address that only
// one node can have needs no such end: while NATS is away its holder goes on, and a lock on the node keeps a second process out.
//
// Of the pods that may hold an address one is meant to (rank 0), the others stand by and give it a head start.
import { type AddressLease, LEASE_MS, type Lingering } from '../bus/snapshot.ts';

export interface LeaseTimes {
  /** From the last renewal seen to when the address may be taken. */
  readonly leaseMs: number;
  readonly renewMs: number;
  /** How much earlier than `leaseMs` a holder stops. */
  readonly marginMs: number;
  /** How often a waiting pod looks. */
  readonly pollMs: number;
  /** How much longer than the one before a pod that stands by waits. */
  readonly standbyMs: number;
}
export const LEASE_TIMES: LeaseTimes = {
  leaseMs: LEASE_MS,
  renewMs: 3_000,
  marginMs: 1_000,
  pollMs: 1_000,
  standbyMs: 2_000,
};

export interface Claimant {
  readonly uid: string;
  readonly node: string;
  /** 0: it is meant to hold the address; n: it stands by, the n-th. */
  readonly rank: number;
  /** ms since the epoch. */
  readonly wallNow: number;
}

/** The record as an observer sees it. */
export interface Seen {
  readonly record: AddressLease | null;
  /** 0 when the key has never been written. */
  readonly revision: number;
  /** Monotonic time since which its holder has left it unchanged and it was watched without a gap. */
  readonly sinceMs: number;
}

export type Step =
  | { readonly step: 'take'; readonly epoch: number }
  /** `claim`: it says in the lease that it waits. */
  | { readonly step: 'wait'; readonly forMs: number; readonly why: string; readonly claim?: true };

/**
 * The first epoch of a lease counts from the clock, in milliseconds, and not from 1: what NATS may have lost was lower, and a record of limits
 * that was written under it must not seem to be from a later holder.
 */
const founding = (wallNow: number): number => Math.floor(wallNow);

export function decideTake(seen: Seen, claimant: Claimant, nowMs: number, times: LeaseTimes): Step {
  const { record } = seen;
  const epoch = record ? record.epoch + 1 : founding(claimant.wallNow);
  const next = { step: 'take', epoch } as const;
  // This pod's own, from a process before this one: a container starts only when its predecessor has ended.
  if (record?.holder.uid === claimant.uid) return next;
  const free = !record || (record.released && (!record.stays || record.holder.node === claimant.node));
  // One that nobody ever held is no loss yet: pods that have only just been made may start in any order.
  const headStart = claimant.rank * (record ? times.standbyMs : times.leaseMs);
  const left = seen.sinceMs + (free ? 0 : times.leaseMs) + headStart - nowMs;
  if (left <= 0) return next;
  // A pod beside the holder is most likely to follow it, and then nobody else has the address.
  const isBeside = record?.holder.node === claimant.node && claimant.rank === 0;
  const forMs = Math.min(left, isBeside ? times.pollMs / 5 : times.pollMs);
  const claims = isBeside && !record.released && record.heir !== claimant.uid;
  return { step: 'wait', forMs, why: whyWait(record, claimant), ...(claims && { claim: true }) };
}

function whyWait(record: AddressLease | null, { rank }: Claimant): string {
  if (record && !record.released) return `held by ${record.holder.pod}`;
  return rank > 0 ? 'another node is to take it first' : `its connections from ${record?.holder.node} end`;
}

/** What a holder says beside the lease itself. */
export interface Said {
  readonly leaving: boolean;
  readonly unfit: string | null;
  readonly connected: number;
}

/** The next record of a holder. `lingering`: those before it that it still knows of. */
export function renewal(record: AddressLease, said: Said, lingering: readonly Lingering[]): AddressLease {
  const { version, address, ipPool, holder, epoch, renewals, heir } = record;
  return {
    ...{ version, address, ipPool, holder, epoch, renewals: renewals + 1, connected: said.connected },
    ...(heir !== undefined && { heir }),
    ...(said.leaving && { leaving: true }),
    ...(said.unfit !== null && { unfit: said.unfit }),
    ...(lingering.length > 0 && { lingering }),
  };
}

/** The last record of a holder. `open`: its connections, which go on although it is free. */
export function givenUp(record: AddressLease, open: Lingering['open'], stays: boolean): AddressLease {
  const { version, address, ipPool, holder, epoch, renewals, lingering = [] } = record;
  const all = Object.keys(open).length > 0 ? [...lingering, { holder, open }] : lingering;
  return {
    ...{ version, address, ipPool, holder, epoch, renewals, released: true },
    ...(stays && { stays: true }),
    ...(all.length > 0 && { lingering: all }),
  };
}

/** What is seen after a successful read: the clock starts anew when the record changed or a read before this one failed. */
export function observe(
  before: Seen | null,
  read: { readonly record: AddressLease | null; readonly revision: number },
  nowMs: number,
): Seen {
  const same = before !== null && sign(before.record) === sign(read.record);
  return { ...read, sinceMs: same ? before.sinceMs : nowMs };
}

/** What only its holder changes: those that linger write into the record as well, and that is no renewal. */
const sign = (record: AddressLease | null): string =>
  record ? `${record.holder.uid} ${record.epoch} ${record.renewals} ${record.released ?? false}` : '';

/** When a holder must have stopped, by its own monotonic clock; Infinity for an address that cannot move. */
export function holdEndsAt(confirmedSentMs: number, movable: boolean, times: LeaseTimes): number {
  return movable ? confirmedSentMs + times.leaseMs - times.marginMs : Number.POSITIVE_INFINITY;
}
