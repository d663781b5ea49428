// The record of a ledger in NATS KV.
import type { KV } from '@nats-io/kv';
import { warmupKey } from '../../bus/names.ts';
import type { LedgerRecord } from '../../policy/warmup/record.ts';
import { ofProvider, type RecordStore, recordStore } from '../record_store.ts';
import { LedgerConflict } from './ledger_keeper.ts';

/** The record of (address, provider) in the bucket; `obstacle` says why NATS is not to be trusted now. `unnamed`: see ofProvider. */
export const ledgerStore = (
  bucket: () => Promise<KV>,
  obstacle: () => string | null,
  address: string,
  provider: string,
  unnamed = provider,
): RecordStore<LedgerRecord> =>
  recordStore({
    bucket,
    obstacle,
    ...ofProvider<LedgerRecord>((name) => warmupKey(address, name), provider, unnamed),
    conflict: (revision, cause) =>
      new LedgerConflict(`the ledger of ${address} at ${provider} is not at revision ${revision}`, { cause }),
  });
