// The egress Deployments of an IPPool: one for each node that the placement names, and a changed template on one node after the other.
import { place } from '../decide/place.ts';
import { buildEgressDeployment, standingOf } from '../desired/egress-deployment.ts';
import { egressName, LABELS } from '../desired/names.ts';
import type { Manifest } from '../desired/settings.ts';
import { placeWorld } from '../observe/placement.ts';
import type { IPPool } from '../observe/resources.ts';
import { isRollingOut, nodeView } from '../observe/views.ts';
import { type AnyObject, keyOf, TYPES } from '../runtime/objects.ts';
import type { Deps } from './deps.ts';

interface Owner {
  readonly metadata: { readonly uid?: string };
}

/** Makes those that are missing, brings the others up to date, and removes what no address needs any more. */
export async function keepEgress(deps: Deps, pool: IPPool): Promise<void> {
  const { nodes, certain } = nodesFor(deps, pool);
  const there = ownDeployments(deps, pool);
  let rolling = there.some((one) => isRollingOut(one) && !isLost(deps, one, nodes, pool));
  for (const node of nodes) {
    const namespace = deps.installation.egressNamespace;
    const found = deps.caches.deployments.get(
      keyOf({ namespace, name: egressName(pool.metadata.name, node) }),
    );
    const standing = found ? standingOf(found as unknown as Manifest) : null;
    const built = buildEgressDeployment(pool, deps.installation, node, standing);
    const changes = standing !== null && standing.template !== standingOf(built).template;
    // An image that does not start must not take more than one pod's successor.
    if (changes && rolling) continue;
    await deps.applier.apply(TYPES.deployments, built, found !== undefined);
    rolling ||= changes;
  }
  const wanted = new Set(nodes.map((node) => egressName(pool.metadata.name, node)));
  if (certain)
    await remove(
      deps,
      there.filter(({ metadata }) => !wanted.has(metadata.name)),
    );
}

/** By UID label: a Deployment of an older IPPool of the same name goes with that one. */
export async function removeEgress(deps: Deps, pool: Owner): Promise<void> {
  await remove(deps, ownDeployments(deps, pool));
}

/**
 * `certain`: who holds what was seen, so nodes that are not among them need no pod. Until then (the operator has only just begun, or
 * NATS is away) those that are there stay as they are.
 */
function nodesFor(deps: Deps, pool: IPPool): { nodes: readonly (string | null)[]; certain: boolean } {
  const found = deps.findings.ipPools.get(keyOf(pool.metadata))?.placement;
  if (found) return { nodes: found.podNodes, certain: true };
  const world = placeWorld(pool, deps.caches, [], deps.now());
  if (!world) return { nodes: [null], certain: true };
  const there = new Set(ownDeployments(deps, pool).map(({ metadata }) => metadata.name));
  const known = world.nodes
    .map(({ name }) => name)
    .filter((name) => there.has(egressName(pool.metadata.name, name)));
  return { nodes: known.length > 0 ? known : place(world).podNodes, certain: false };
}

function ownDeployments(deps: Deps, { metadata }: Owner): AnyObject[] {
  return deps.caches.deployments.list().filter((d) => d.metadata.labels?.[LABELS.ipPoolUid] === metadata.uid);
}

/** On a node that is not ready nothing rolls out; the others do not wait for it. */
function isLost(
  deps: Deps,
  { metadata }: AnyObject,
  nodes: readonly (string | null)[],
  pool: IPPool,
): boolean {
  const node = nodes.find((one) => egressName(pool.metadata.name, one) === metadata.name);
  const object = deps.caches.nodes?.list().find((one) => one.metadata.name === node);
  return object !== undefined && !nodeView(object).ready;
}

async function remove(deps: Deps, deployments: readonly AnyObject[]): Promise<void> {
  for (const { metadata } of deployments)
    await deps.api.delete(TYPES.deployments, metadata, {
      uid: metadata.uid,
      propagationPolicy: 'Background',
    });
}
