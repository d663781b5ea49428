// The lease of an address as its keeper sees it; in NATS it is kept by lease_store.ts.
import type { AddressLease } from '../bus/snapshot.ts';

/** The lease record of one address. Both calls reject while NATS is away. */
export interface LeaseStore {
  read(): Promise<{ readonly record: AddressLease | null; readonly revision: number }>;
  /** Writes if the key still stands at `revision`; returns the new revision. @throws LeaseConflict */
  write(record: AddressLease, revision: number): Promise<number>;
}

export class LeaseConflict extends Error {
  override readonly name = 'LeaseConflict';
}
