// A QueuePolicy has no objects of its own: it travels in the snapshots of the pools that use it. Only its status is kept.
import type { QueuePolicyStatus } from '../../resources/kinds.ts';
import { metaOf, parseQueuePolicy } from '../observe/fleet.ts';
import { policyStatus } from '../report/policy-status.ts';
import type { Result } from '../runtime/controller.ts';
import type { Key } from '../runtime/objects.ts';
import type { Deps } from './deps.ts';
import { writeStatus } from './report.ts';

export async function reconcilePolicy(deps: Deps, key: Key): Promise<Result> {
  const object = deps.caches.queuePolicies.get(key);
  if (!object) return undefined;
  const parsed = parseQueuePolicy(object);
  const problem = parsed.kind === 'Invalid' ? parsed.problem : null;
  const uses = (spec: unknown) =>
    (spec as { queuePolicyRef?: { name?: string } } | undefined)?.queuePolicyRef?.name ===
    object.metadata.name;
  const usedBy = deps.caches.sendingPools
    .list()
    .filter((pool) => uses(pool.spec))
    .map((pool) => pool.metadata.name);
  const before = (object.status ?? {}) as Partial<QueuePolicyStatus>;
  const status = policyStatus(metaOf(object), before, problem, usedBy.toSorted(), deps.now());
  await writeStatus(deps, 'QueuePolicy', object, status);
  return undefined;
}
