// The record of a pair in NATS KV.
import type { KV } from '@nats-io/kv';
import { limitsKey } from '../../bus/names.ts';
import type { PairRecord } from '../../policy/limits/pair.ts';
import { strictestPair } from '../../policy/limits/strictest.ts';
import { namedStore } from '../named_store.ts';
import { type NamesNow, NO_NAMES } from '../names.ts';
import type { RecordStore } from '../record_store.ts';
import { PairConflict } from './record_keeper.ts';

/** The record of (address, provider) in the bucket; `obstacle` says why NATS is not to be trusted now. `names`: see named_store.ts. */
export const pairStore = (
  bucket: () => Promise<KV>,
  obstacle: () => string | null,
  address: string,
  provider: string,
  now: () => number,
  names: NamesNow = NO_NAMES,
): RecordStore<PairRecord> =>
  namedStore<PairRecord>({
    bucket,
    obstacle,
    keyOf: (name) => limitsKey(address, name),
    ...{ provider, names, now, strictest: strictestPair },
    conflict: (revision, cause) =>
      new PairConflict(`the limits of ${address} at ${provider} are not at revision ${revision}`, { cause }),
  });
