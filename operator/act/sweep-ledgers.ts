// Deletes warm-up ledgers whose time is over, each at the revision that was read: one that is written meanwhile stays.
import { WARMUP_BUCKET } from '../../mta/bus/names.ts';
import { isOver, type KnownAddress } from '../decide/ledger-over.ts';
import { readLedgers } from '../observe/ledgers.ts';
import type { Result } from '../runtime/controller.ts';
import type { Deps } from './deps.ts';
import { tryNats } from './ippool-fleet.ts';

const SECONDS = 3600;

export async function sweepLedgers(deps: Deps): Promise<Result> {
  const bus = deps.bus();
  if (bus.kind === 'Down') return { requeueAfterSeconds: 60 };
  const failure = await tryNats(async () => {
    const known = knownAddresses(deps);
    const kv = await bus.bus.kv(WARMUP_BUCKET);
    for (const { key, revision, record } of await readLedgers(bus.bus, null))
      if (isOver(record, deps.now(), known)) await kv.delete(key, { previousSeq: revision });
  });
  return { requeueAfterSeconds: failure ? 60 : SECONDS };
}

/** Of all IPPools, valid or not: a slip in a spec must not cost an address its ledger. */
function knownAddresses({ caches }: Deps): KnownAddress[] {
  return caches.ipPools
    .list()
    .flatMap(
      ({ spec }) => (spec as { readonly addresses?: readonly KnownAddress[] } | undefined)?.addresses ?? [],
    );
}
