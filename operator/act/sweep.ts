// Removes domain snapshots whose SendingDomain is gone. A SendingDomain has no finalizer, because deleting one must not
// wait for NATS; so what is left over is looked for.
import { FLEET_BUCKET } from '../../mta/bus/names.ts';
import type { DomainSnapshot } from '../../mta/bus/snapshot.ts';
import type { Result } from '../runtime/controller.ts';
import type { Deps } from './deps.ts';
import { tryNats } from './ippool-fleet.ts';

const SECONDS = 300;

export async function sweepDomains(deps: Deps): Promise<Result> {
  const bus = deps.bus();
  if (bus.kind === 'Down') return { requeueAfterSeconds: 30 };
  const failure = await tryNats(async () => {
    const kv = await bus.bus.kv(FLEET_BUCKET);
    for await (const key of await kv.keys('domain.>')) {
      const { value } = await bus.store.read<DomainSnapshot>(key);
      if (value && isOver(deps, value)) await bus.store.remove(key);
    }
  });
  return { requeueAfterSeconds: failure ? 30 : SECONDS };
}

/** Only what is of our own namespace and whose resource is not there, valid or not. */
const isOver = ({ caches, installation }: Deps, { namespace, uid }: DomainSnapshot): boolean =>
  namespace === installation.namespace &&
  !caches.sendingDomains.list().some(({ metadata }) => metadata.uid === uid);
