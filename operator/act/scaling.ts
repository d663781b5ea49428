// Autoscaling of one pool, between its resource and decide/autoscale.ts, and what people and metrics are told of it.
import { decideScaling, replicasInForce, type Scaling } from '../decide/autoscale.ts';
import { loadOf } from '../decide/load.ts';
import type { StreamsView } from '../nats/backlog.ts';
import type { SendingPool } from '../observe/resources.ts';
import type { PoolWorld, StatefulSetView } from '../observe/world.ts';
import type { AnyObject } from '../runtime/objects.ts';
import type { Deps } from './deps.ts';

/** The pods that are wished for. `found` is what was decided last; the status of the cache may be of before. */
export function inForce(pool: SendingPool, set: StatefulSetView | null, found: Scaling | null): number {
  const status = found ? { autoscaling: { replicas: found.replicas } } : pool.status;
  return replicasInForce({ spec: pool.spec, status }, set?.replicas ?? null);
}

/** null: the pool does not scale by itself. */
export function decidePoolScaling(
  pool: SendingPool,
  world: PoolWorld,
  streams: StreamsView | null,
  before: Scaling | null,
): Scaling | null {
  const spec = pool.spec.autoscaling;
  if (!spec) return null;
  const history = before?.history ?? pool.status?.autoscaling?.history ?? [];
  const decided = world.desiredReplicas;
  return decideScaling({ spec, load: loadOf(world, streams), decided, history, world });
}

/** Once for each change, with the figures. */
export function tellScaling(
  { tell }: Pick<Deps, 'tell'>,
  about: AnyObject,
  { replicas, reason, message }: Scaling,
  before: number,
): void {
  if (replicas !== before && (reason === 'ScaledUp' || reason === 'ScalingDown'))
    tell(about, { type: 'Normal', reason, action: 'Autoscale', note: message });
}
