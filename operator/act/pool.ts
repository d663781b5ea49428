// A SendingPool's objects in Kubernetes, and its status. Never waits for NATS: that is pool-fleet.ts, whose findings are
// reported here.
import type { NewCondition } from '../../resources/conditions.ts';
import type { SendingPoolStatus } from '../../resources/kinds.ts';
import type { Trial } from '../decide/canary.ts';
import { unplaced } from '../decide/stranded.ts';
import { buildDeliveryPdb } from '../desired/delivery-pdb.ts';
import { buildDeliveryService } from '../desired/delivery-service.ts';
import { deliveryName } from '../desired/names.ts';
import { setStranded } from '../metrics.ts';
import { drainModeOf } from '../observe/drain-mode.ts';
import { identified, metaOf, parseSendingPool, readFleet } from '../observe/fleet.ts';
import { cachedWorld, isPodOf } from '../observe/pool-world.ts';
import { poolProblem } from '../observe/problems.ts';
import type { SendingPool } from '../observe/resources.ts';
import { isSpoolOf, unschedulable } from '../observe/views.ts';
import type { PoolWorld } from '../observe/world.ts';
import { durableStorage } from '../report/durable-storage.ts';
import { type PoolReport, poolStatus } from '../report/pool-status.ts';
import { volumesSized } from '../report/storage-size.ts';
import type { Result } from '../runtime/controller.ts';
import { type AnyObject, type Key, keyOf, refOf, TYPES } from '../runtime/objects.ts';
import type { Deps } from './deps.ts';
import { holdByFinalizer, releaseFinalizer } from './finalizer.ts';
import { findingsOf } from './findings.ts';
import { writeStatus } from './report.ts';
import { applyStatefulSet, knownTrial } from './rollout.ts';
import { scaleStatefulSet } from './scale.ts';
import { inForce } from './scaling.ts';
import { forgetScaling, measureScaling } from './scaling-metrics.ts';
import { tendStranded } from './stranded.ts';
import { claimSizes, growVolumes } from './volumes.ts';

const STALE_MS = 20_000;

export async function reconcilePool(deps: Deps, key: Key): Promise<Result> {
  const cached = deps.caches.sendingPools.get(key);
  if (!cached) {
    forgetScaling(key);
    setStranded(key, []);
    return undefined;
  }
  const object = identified(cached, 'SendingPool');
  const parsed = parseSendingPool(cached);
  const pool = parsed.kind === 'Valid' ? parsed.resource : null;
  const problem =
    parsed.kind === 'Valid' ? poolProblem(parsed.resource, readFleet(deps.caches)) : parsed.problem;
  const world = worldOf(deps, object, pool);
  let refused: string | null = null;
  let trial: Trial | null = null;
  if (object.metadata.deletionTimestamp) {
    if (await finishDeletion(deps, object, pool, world)) return undefined;
  } else if (pool) {
    await holdByFinalizer(deps, 'SendingPool', object);
    trial = await applyObjects(deps, object, pool, world);
    refused = await growVolumes(deps, pool);
  }
  wakeFleet(deps, object);
  const stranded = await tendStranded(deps, object, world);
  const sized = pool && volumesSized(pool.spec.storage.size, claimSizes(deps, pool), refused);
  // What an invalid spec does not ask for is not forgotten meanwhile.
  const seen = { problem, ...stranded, trial: pool ? trial : knownTrial(deps, object) };
  await writeStatus(deps, 'SendingPool', object, statusOf(deps, object, world, seen, sized));
  measureScaling(key, world.desiredReplicas, findingsOf(deps.findings, object)?.scaling ?? null);
  // After the status: what autoscaling has decided must outlive this operator before it is acted on.
  if (pool && !object.metadata.deletionTimestamp) await scaleUp(deps, world);
  return { requeueAfterSeconds: 60 };
}

/** A changed spec, or findings that nobody renews (a new term as leader): the other half has to look. */
function wakeFleet(deps: Deps, object: AnyObject): void {
  const { metadata } = object;
  const key = keyOf(metadata);
  const found = findingsOf(deps.findings, object);
  const stale = !found || found.generation !== metadata.generation || deps.now() - found.at > STALE_MS;
  if (stale) deps.wakeFleet('SendingPool', key);
}

/** An invalid spec asks for nothing: what runs stays as it is. */
function worldOf(deps: Deps, object: AnyObject, pool: SendingPool | null): PoolWorld {
  const { namespace = '', name } = object.metadata;
  const found = findingsOf(deps.findings, object);
  const set = deps.caches.statefulSets.get(keyOf({ namespace, name: deliveryName(name) }));
  const running = (set?.spec as { replicas?: number } | undefined)?.replicas ?? 0;
  const spec = pool?.spec ?? { replicas: running, shards: 0, drain: { mode: 'Wait' as const } };
  const world = cachedWorld({ namespace, name }, spec, deps.caches, deps.now());
  const desiredReplicas = pool ? inForce(pool, world.statefulSet, found?.scaling ?? null) : running;
  const { assignment = null, readings = new Map() } = found ?? {};
  return { ...world, ...(pool && drainModeOf(pool)), desiredReplicas, assignment, readings };
}

async function applyObjects(
  deps: Deps,
  object: AnyObject,
  pool: SendingPool,
  world: PoolWorld,
): Promise<Trial | null> {
  const { applier } = deps;
  const { namespace, name } = pool.metadata;
  const ref = { namespace, name: deliveryName(name) };
  await applier.apply(TYPES.services, buildDeliveryService(pool));
  const pdb = buildDeliveryPdb(pool, world.desiredReplicas, unplaced(world).length);
  if (pdb) await applier.apply(TYPES.podDisruptionBudgets, pdb);
  else await applier.remove(TYPES.podDisruptionBudgets, ref);
  const set = world.statefulSet;
  if (set?.deleting || (!set && world.desiredReplicas === 0)) return null;
  return applyStatefulSet(deps, object, pool, world);
}

/** Adding pods needs no proof; only going down does. Written over the version that was seen. */
async function scaleUp({ api }: Deps, world: PoolWorld): Promise<void> {
  const set = world.statefulSet;
  if (!set || set.deleting || set.replicas >= world.desiredReplicas) return;
  const { namespace = '' } = refOf(world.pool);
  const { name, uid, resourceVersion } = set;
  await scaleStatefulSet(api, { namespace, name, uid, resourceVersion }, world.desiredReplicas);
}

/** @returns true: nothing is left and the finalizer is off. */
async function finishDeletion(
  deps: Deps,
  object: AnyObject,
  pool: SendingPool | null,
  world: PoolWorld,
): Promise<boolean> {
  const retain = pool?.spec.deletionPolicy === 'Retain';
  const done = findingsOf(deps.findings, object)?.deletion?.step === 'Done';
  // Retain gives nothing away that NATS would have to confirm: streams and volumes stay.
  if (!done && !(retain && deps.bus().kind === 'Down')) return false;
  const set = world.statefulSet;
  if (set) {
    const { namespace = '' } = refOf(world.pool);
    await deps.api.delete(TYPES.statefulSets, { namespace, name: set.name }, { uid: set.uid });
  }
  if (retain) {
    const note = 'pods are removed; volumes and streams are kept';
    deps.tell(object, { type: 'Normal', reason: 'Retained', action: 'Delete', note });
  }
  await releaseFinalizer(deps, 'SendingPool', object);
  return true;
}

/** Also while the spec is invalid: what was decided must not be forgotten meanwhile. */
const autoscales = ({ spec }: AnyObject): boolean =>
  (spec as { autoscaling?: object } | undefined)?.autoscaling !== undefined;

function statusOf(
  deps: Deps,
  object: AnyObject,
  world: PoolWorld,
  seen: Pick<PoolReport, 'problem' | 'stranded' | 'giveUpRefusals' | 'trial'>,
  sized: NewCondition | null,
): SendingPoolStatus {
  const { name } = object.metadata;
  const claims = deps.caches.claims.list().filter((claim) => isSpoolOf(claim, name, deliveryName(name)));
  const provisioners = claims.map(
    ({ metadata }) => metadata.annotations?.['volume.kubernetes.io/storage-provisioner'] ?? null,
  );
  const pods = deps.caches.pods.list().filter((pod) => isPodOf(pod, name));
  return poolStatus({
    metadata: metaOf(object),
    before: (object.status ?? {}) as Partial<SendingPoolStatus>,
    world,
    ...seen,
    findings: findingsOf(deps.findings, object),
    autoscales: autoscales(object),
    unschedulable: pods.map(unschedulable).find((why) => why !== null) ?? null,
    storage: [durableStorage(provisioners), ...(sized ? [sized] : [])],
  });
}
