// What the operator watches: its own namespace, the egress namespace, and nodes where it may.
import { DELIVERY_LABELS, EGRESS_LABELS, NODE_ADDRESSES_ANNOTATION, selectorText } from './desired/names.ts';
import type { Installation } from './desired/settings.ts';
import type { Caches } from './observe/caches.ts';
import { KINDS } from './observe/types.ts';
import { nodeView } from './observe/views.ts';
import { ApiError } from './runtime/errors.ts';
import { type AnyObject, type ResourceType, TYPES } from './runtime/objects.ts';
import { type Change, Reflector } from './runtime/reflector.ts';
import type { KubeApi } from './runtime/transport.ts';

export type Watches = ReturnType<typeof ownWatches> & { readonly nodes: Reflector<AnyObject> | null };

function ownWatches(api: KubeApi, { namespace, egressNamespace }: Installation) {
  const watch = (
    name: string,
    type: ResourceType,
    where: string,
    labels?: Readonly<Record<string, string>>,
  ) =>
    new Reflector<AnyObject>({
      api,
      name,
      type,
      namespace: where,
      labelSelector: labels && selectorText(labels),
    });
  return {
    sendingPools: watch('sendingpools', KINDS.SendingPool, namespace),
    ipPools: watch('ippools', KINDS.IPPool, namespace),
    queuePolicies: watch('queuepolicies', KINDS.QueuePolicy, namespace),
    sendingDomains: watch('sendingdomains', KINDS.SendingDomain, namespace),
    statefulSets: watch('statefulsets', TYPES.statefulSets, namespace, DELIVERY_LABELS),
    pods: watch('pods', TYPES.pods, namespace, DELIVERY_LABELS),
    claims: watch('claims', TYPES.persistentVolumeClaims, namespace, DELIVERY_LABELS),
    deployments: watch('deployments', TYPES.deployments, egressNamespace, EGRESS_LABELS),
    egressPods: watch('egresspods', TYPES.pods, egressNamespace, EGRESS_LABELS),
  };
}

/** Without the right to read nodes no node counts as fenced; everything else works. */
export async function makeWatches(api: KubeApi, installation: Installation): Promise<Watches> {
  const mayRead = await api.list(TYPES.nodes).then(
    () => true,
    (error: unknown) => {
      if (ApiError.isForbidden(error)) return false;
      throw error;
    },
  );
  const nodes = mayRead ? new Reflector<AnyObject>({ api, type: TYPES.nodes }) : null;
  return { ...ownWatches(api, installation), nodes };
}

export const reflectorsOf = (watches: Watches): Reflector<AnyObject>[] =>
  Object.values(watches).filter((watch) => watch !== null);

export const cachesOf = (watches: Watches): Caches => ({
  sendingPools: watches.sendingPools.cache,
  ipPools: watches.ipPools.cache,
  queuePolicies: watches.queuePolicies.cache,
  sendingDomains: watches.sendingDomains.cache,
  statefulSets: watches.statefulSets.cache,
  pods: watches.pods.cache,
  claims: watches.claims.cache,
  deployments: watches.deployments.cache,
  egressPods: watches.egressPods.cache,
  nodes: watches.nodes?.cache ?? null,
});

/** Whether a node has changed in a way that can move addresses; its heartbeat does not. */
export function changesPlacement({ before, after }: Change<AnyObject>): boolean {
  const view = (node: AnyObject | undefined) =>
    node &&
    JSON.stringify([
      nodeView(node),
      node.metadata.labels,
      node.metadata.annotations?.[NODE_ADDRESSES_ANNOTATION],
      (node.spec as { unschedulable?: boolean } | undefined)?.unschedulable,
    ]);
  return view(before) !== view(after);
}

/** Whether a change is of what people want, and not only of the status that we write ourselves. */
export function isWish({ before, after }: Change<AnyObject>): boolean {
  return (
    before?.metadata.uid !== after?.metadata.uid ||
    before?.metadata.generation !== after?.metadata.generation ||
    before?.metadata.deletionTimestamp !== after?.metadata.deletionTimestamp
  );
}
