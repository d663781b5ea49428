// Whether a pod that is gone can still be running somewhere. Silence is no proof (design.md, "A shard is worked by one pod").
import type { NodeView, PoolWorld } from '../observe/world.ts';

/** Why the former owner of a shard may still be at work; null: it is gone for certain. */
export function unfencedReason(
  world: Pick<PoolWorld, 'pods' | 'nodes'>,
  owner: { uid: string; node: string },
): string | null {
  if (world.pods.some((pod) => pod.uid === owner.uid)) return 'its pod still exists';
  if (world.nodes === null) return 'nodes cannot be read, so nobody confirms that its containers have ended';
  const node = world.nodes.find(({ name }) => name === owner.node);
  return node ? unfencedNode(node) : null; // a node that was removed from the cluster cannot run pods
}

function unfencedNode(node: NodeView): string | null {
  // A ready node's kubelet removes the pod object only after the containers have ended.
  if (node.ready || node.outOfService) return null;
  return `node ${node.name} is silent; taint it node.kubernetes.io/out-of-service when it is off for certain`;
}
