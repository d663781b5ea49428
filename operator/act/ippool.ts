// An IPPool's egress pods, and its status.
import type { IPPoolStatus } from '../../resources/kinds.ts';
import { identified, metaOf, parseIPPool, readFleet } from '../observe/fleet.ts';
import { egressPodsOf } from '../observe/placement.ts';
import { ipPoolProblem } from '../observe/problems.ts';
import { podView, unschedulable } from '../observe/views.ts';
import { ipPoolStatus } from '../report/ippool-status.ts';
import type { Result } from '../runtime/controller.ts';
import { type AnyObject, type Key, keyOf } from '../runtime/objects.ts';
import type { Deps } from './deps.ts';
import { keepEgress, removeEgress } from './egress.ts';
import { holdByFinalizer, releaseFinalizer } from './finalizer.ts';
import { writeStatus } from './report.ts';

export async function reconcileIPPool(deps: Deps, key: Key): Promise<Result> {
  const cached = deps.caches.ipPools.get(key);
  if (!cached) return undefined;
  const object = identified(cached, 'IPPool');
  const parsed = parseIPPool(cached);
  const usedBy = usersOf(deps, object.metadata.name);
  if (object.metadata.deletionTimestamp && usedBy.length === 0) {
    await removeEgress(deps, object);
    await releaseFinalizer(deps, 'IPPool', object);
    return undefined;
  }
  if (parsed.kind === 'Valid' && !object.metadata.deletionTimestamp) {
    await holdByFinalizer(deps, 'IPPool', object);
    await keepEgress(deps, parsed.resource);
  }
  if (!deps.findings.ipPools.has(key)) deps.wakeFleet('IPPool', key);
  await writeStatus(deps, 'IPPool', object, statusOf(deps, object, usedBy));
  return { requeueAfterSeconds: 60 };
}

/** Pools that name it: mail of a pool that is being drained still needs its addresses. */
function usersOf({ caches }: Deps, name: string): string[] {
  const named = (spec: unknown) =>
    (spec as { ipPoolRef?: { name?: string } } | undefined)?.ipPoolRef?.name === name;
  return caches.sendingPools
    .list()
    .filter((pool) => named(pool.spec))
    .map((pool) => pool.metadata.name)
    .toSorted();
}

function statusOf(deps: Deps, object: AnyObject, usedBy: readonly string[]): IPPoolStatus {
  const { name } = object.metadata;
  const parsed = parseIPPool(object);
  const pods = egressPodsOf(deps.caches, name);
  return ipPoolStatus({
    metadata: metaOf(object),
    before: (object.status ?? {}) as Partial<IPPoolStatus>,
    addresses: parsed.kind === 'Valid' ? parsed.resource.spec.addresses : [],
    warmup: parsed.kind === 'Valid' ? parsed.resource.spec.warmup : undefined,
    problem:
      parsed.kind === 'Valid' ? ipPoolProblem(parsed.resource, readFleet(deps.caches)) : parsed.problem,
    findings: deps.findings.ipPools.get(keyOf(object.metadata)) ?? null,
    dns: deps.findings.addresses.get(keyOf(object.metadata)) ?? null,
    pods: pods.map(podView),
    unschedulable: pods.map(unschedulable).find((why) => why !== null) ?? null,
    usedBy,
    now: deps.now(),
  });
}
