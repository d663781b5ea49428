// The lease record in NATS KV, written by compare-and-set on its revision.
import { JetStreamApiError } from '@nats-io/jetstream';
import type { KV } from '@nats-io/kv';
import type { Bus } from '../bus/client.ts';
import { LEASE_BUCKET, leaseKey } from '../bus/names.ts';
import type { AddressLease, IPPoolSnapshot } from '../bus/snapshot.ts';
import { LeaseConflict, type LeaseStore } from './keeper.ts';

/** JetStream's "wrong last sequence". */
const WRONG_LAST_SEQUENCE = [10071, 10164];
/** Well under the lease, so that a stuck write does not cost it. */
const WRITE_TIMEOUT_MS = 2_000;

/**
 * The record of `address` in the bucket. `obstacle` says why NATS is not to be trusted now (a lease on a server that may
 * forget it is none): then reads and writes reject.
 */
export function leaseStore(
  bucket: () => Promise<KV>,
  obstacle: () => string | null,
  address: string,
): LeaseStore {
  const key = leaseKey(address);
  const trusted = async (): Promise<KV> => {
    const why = obstacle();
    if (why) throw new Error(`NATS: ${why}`);
    return bucket();
  };
  return {
    async read() {
      const entry = await (await trusted()).get(key);
      if (!entry) return { record: null, revision: 0 };
      const record = entry.operation === 'PUT' ? entry.json<AddressLease>() : null;
      return { record, revision: entry.revision };
    },
    async write(record, revision) {
      const kv = await trusted();
      try {
        const bytes = JSON.stringify(record);
        // The client has no update from revision 0: "not there yet" is a create.
        return revision === 0
          ? await kv.create(key, bytes)
          : await kv.update(key, bytes, revision, WRITE_TIMEOUT_MS);
      } catch (error) {
        if (error instanceof JetStreamApiError && WRONG_LAST_SEQUENCE.includes(error.code))
          throw new LeaseConflict(`lease of ${address} is not at revision ${revision}`, { cause: error });
        throw error;
      }
    },
  };
}

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
