// The record of a ledger in NATS KV.
import type { KV } from '@nats-io/kv';
import { warmupKey } from '../../bus/names.ts';
import type { LedgerRecord } from '../../policy/warmup/record.ts';
import { strictestLedger } from '../../policy/warmup/strictest.ts';
import { namedStore } from '../named_store.ts';
import { type NamesNow, NO_NAMES } from '../names.ts';
import type { RecordStore } from '../record_store.ts';
import { LedgerConflict } from './ledger_keeper.ts';

/** The record of (address, provider) in the bucket; `obstacle` says why NATS is not to be trusted now. `names`: see named_store.ts. */
export const ledgerStore = (
  bucket: () => Promise<KV>,
  obstacle: () => string | null,
  address: string,
  provider: string,
  now: () => number,
  names: NamesNow = NO_NAMES,
): RecordStore<LedgerRecord> =>
  namedStore<LedgerRecord>({
    bucket,
    obstacle,
    keyOf: (name) => warmupKey(address, name),
    ...{ provider, names, now, strictest: strictestLedger },
    conflict: (revision, cause) =>
      new LedgerConflict(`the ledger of ${address} at ${provider} is not at revision ${revision}`, { cause }),
  });
