// The record of a pair in NATS KV.
import type { KV } from '@nats-io/kv';
import { limitsKey } from '../../bus/names.ts';
import type { PairRecord } from '../../policy/limits/pair.ts';
import { type RecordStore, recordStore } from '../record_store.ts';
import { PairConflict } from './record_keeper.ts';

/**
 * The record of (address, provider) in the bucket; `obstacle` says why NATS is not to be trusted now.
 * `unnamed`: what the provider was called before a policy gave it a name. A name that has no record goes on with the one from then.
 */
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
    key: limitsKey(address, provider),
    ...(unnamed !== provider && {
      former: { key: limitsKey(address, unnamed), as: (record: PairRecord) => ({ ...record, provider }) },
    }),
    conflict: (revision, cause) =>
      new PairConflict(`the limits of ${address} at ${provider} are not at revision ${revision}`, { cause }),
  });
