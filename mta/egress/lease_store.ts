// The lease record of an address in NATS KV.
import type { KV } from '@nats-io/kv';
import type { Bus } from '../bus/client.ts';
import { LEASE_BUCKET, leaseKey } from '../bus/names.ts';
import type { AddressLease, IPPoolSnapshot } from '../bus/snapshot.ts';
import { LeaseConflict, type LeaseStore } from './lease.ts';
import { recordStore } from './record_store.ts';

/** The record of `address` in the bucket; `obstacle` says why NATS is not to be trusted now. */
export const leaseStore = (
  bucket: () => Promise<KV>,
  obstacle: () => string | null,
  address: string,
): LeaseStore =>
  recordStore({
    bucket,
    obstacle,
    key: leaseKey(address),
    conflict: (revision, cause) =>
      new LeaseConflict(`lease of ${address} is not at revision ${revision}`, { cause }),
  });

/** The leases of all addresses of the pool, whoever holds them. Rejects while NATS is away. */
export async function readLeases(
  bus: Pick<Bus, 'kv'>,
  ipPool: Pick<IPPoolSnapshot, 'addresses'> | null,
): Promise<AddressLease[]> {
  const kv = await bus.kv(LEASE_BUCKET);
  const entries = await Promise.all(
    (ipPool?.addresses ?? []).map(({ address }) => kv.get(leaseKey(address))),
  );
  return entries.flatMap((entry) => (entry?.operation === 'PUT' ? [entry.json<AddressLease>()] : []));
}
