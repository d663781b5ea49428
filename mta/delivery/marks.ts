// The marks of copies that are not acknowledged (doubt.ts) count only while each release that works the volume keeps them. The one before this
// acknowledges what comes again, writes its id into the memory of the shard and leaves the mark as it is; such a copy, given back, would
// be let fall by whoever knows the id. So what is marked on a volume that it has worked since is taken for acknowledged, as it did.
import type { Log } from '../../process/log.ts';
import type { Spool } from '../spool/port.ts';

/** @param areKept whether the release that worked the volume last knows the marks (kept-clock.ts) */
export async function dropOldMarks(spool: Spool, areKept: boolean, log: Log): Promise<void> {
  const ids = areKept ? [] : [...spool.pulled().keys()];
  if (ids.length === 0) return;
  const about = { publishes: ids.length };
  try {
    await spool.commit(ids.map((id) => ({ kind: 'pulled', id, pulled: null })));
    log.warn(about, 'an older release has worked this volume: copies in doubt are taken for acknowledged');
  } catch (error) {
    log.error({ ...about, err: error }, 'marks that an older release did not keep cannot be taken away');
  }
}
