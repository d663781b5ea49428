// Reads warm-up ledgers from NATS: all of some addresses, or all there are, in one go.
import type { Bus } from '../../mta/bus/client.ts';
import { WARMUP_BUCKET, warmupKeys } from '../../mta/bus/names.ts';
import type { LedgerRecord } from '../../mta/policy/warmup/record.ts';

export interface StoredLedger {
  readonly key: string;
  readonly revision: number;
  readonly record: LedgerRecord;
}

/** @param addresses whose; null: everybody's. Those of a form that is not known here are left out. */
export async function readLedgers(
  bus: Pick<Bus, 'kv'>,
  addresses: readonly string[] | null,
): Promise<StoredLedger[]> {
  if (addresses?.length === 0) return [];
  const kv = await bus.kv(WARMUP_BUCKET);
  const found: StoredLedger[] = [];
  // The bucket keeps one value of each key, so its history is what is there.
  for await (const entry of await kv.history({ key: addresses ? addresses.map(warmupKeys) : 'warmup.>' })) {
    if (entry.operation !== 'PUT') continue;
    const record = entry.json<LedgerRecord>();
    if (record.version === 1) found.push({ key: entry.key, revision: entry.revision, record });
  }
  return found;
}
