// A real spool whose volume fails on request: `full` refuses parcels and takes results, `failing` takes nothing.
import { SpoolWriteError } from '../spool/errors.ts';
import { openSpool } from '../spool/lmdb.ts';
import type { Spool } from '../spool/port.ts';

export interface Volume {
  state: 'fine' | 'full' | 'failing';
}

export async function openFaultySpool(folder: string, volume: Volume): Promise<Spool> {
  const real = await openSpool(folder);
  const why = () => `the volume is ${volume.state}`;
  return {
    async commit(changes) {
      const takesSpace = changes.some(({ kind }) => kind === 'put');
      if (volume.state === 'failing' || (volume.state === 'full' && takesSpace))
        throw new SpoolWriteError(folder, why());
      await real.commit(changes);
    },
    note: (changes, written) => real.note(changes, written),
    pulled: () => real.pulled(),
    knows: (hopId) => real.knows(hopId),
    due: (now, limit, skip) => real.due(now, limit, skip),
    duePage: (now, after, limit) => real.duePage(now, after, limit),
    nextDue: (now) => real.nextDue(now),
    parcel: (hopId) => real.parcel(hopId),
    entriesOf: (hopId) => real.entriesOf(hopId),
    message: (hopId) => real.message(hopId),
    held: (after, limit) => real.held(after, limit),
    stats: () => ({ ...real.stats(), ...(volume.state !== 'fine' && { failure: why() }) }),
    close: () => real.close(),
  };
}
