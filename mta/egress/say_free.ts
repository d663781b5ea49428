// The last word of a holder, said until NATS has heard it: others write into the record as well, and an own answer may have been lost.
import type { AddressLease } from '../bus/snapshot.ts';
import type { Clock } from './clock.ts';
import type { Held } from './held.ts';
import type { LeaseStore } from './lease.ts';
import { pause } from './linger.ts';

/** How soon it is said again. */
const RETRY_MS = 500;

/**
 * Says it once, and again until it stands or `signal` aborts. Never rejects.
 * @returns whether it stands in the lease, or the lease is another's
 */
export async function sayFree(
  store: LeaseStore,
  clock: Clock,
  held: Held,
  free: (record: AddressLease) => AddressLease,
  signal: AbortSignal,
): Promise<boolean> {
  let { record, revision } = held;
  for (;;) {
    try {
      await store.write(free(record), revision);
      return true;
    } catch {
      // One that lingers has written meanwhile, an own write went unanswered, or NATS is away.
      const read = await store.read().catch(() => null);
      if (read && (read.record?.epoch !== record.epoch || read.record.released)) return true;
      if (signal.aborted) return false;
      if (read?.record) ({ record, revision } = { record: read.record, revision: read.revision });
      else await pause(clock, RETRY_MS, signal);
    }
  }
}
