// The one place that writes the replicas of a delivery StatefulSet.
import { TYPES } from '../runtime/objects.ts';
import type { KubeApi } from '../runtime/transport.ts';

export interface ScaleTarget {
  readonly namespace: string;
  readonly name: string;
  /** Preconditions: it must be this StatefulSet, unchanged since it was judged. */
  readonly uid: string;
  readonly resourceVersion: string;
}

/** @throws ApiError when somebody wrote in between (`isConflict`) or it is another one. */
export async function scaleStatefulSet(api: KubeApi, target: ScaleTarget, replicas: number): Promise<void> {
  const { namespace, name, uid, resourceVersion } = target;
  const body = { metadata: { uid, resourceVersion }, spec: { replicas } };
  await api.patch(TYPES.statefulSets, { namespace, name }, { kind: 'merge', body });
}
