// The record of a pair in NATS KV.
import type { KV } from '@nats-io/kv';
import { limitsKey } from '../../bus/names.ts';
import type { PairRecord } from '../../policy/limits/pair.ts';
import { ofProvider, type RecordStore, recordStore } from '../record_store.ts';
import { PairConflict } from './record_keeper.ts';

/** The record of (address, provider) in the bucket; `obstacle` says why NATS is not to be trusted now. `unnamed`: see ofProvider. */
export const pairStore = (
  bucket: () => Promise<KV>,
  obstacle: () => string | null,
  address: string,
  provider: string,
  unnamed = provider,
): RecordStore<PairRecord> =>
  recordStore({
    bucket,
    obstacle,
    ...ofProvider<PairRecord>((name) => limitsKey(address, name), provider, unnamed),
    conflict: (revision, cause) =>
      new PairConflict(`the limits of ${address} at ${provider} are not at revision ${revision}`, { cause }),
  });
