// From Kubernetes' objects to what decisions look at. Pure; a field that is missing reads as the careful answer.

import {
  GIVEN_UP_ANNOTATION,
  LABELS,
  PROVEN_EMPTY_ANNOTATION,
  SPOOL_VOLUME,
  USED_ANNOTATION,
} from '../desired/names.ts';
import type { AnyObject } from '../runtime/objects.ts';
import { type NodeView, ordinalOf, type PodView, type StatefulSetView, type VolumeView } from './world.ts';

interface PodFields {
  readonly spec?: { readonly nodeName?: string };
  readonly status?: {
    readonly phase?: string;
    readonly podIP?: string;
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason?: string;
      readonly message?: string;
      readonly lastTransitionTime?: string;
    }[];
    readonly containerStatuses?: readonly {
      readonly restartCount?: number;
      readonly containerID?: string;
      readonly state?: { readonly running?: object; readonly terminated?: object };
    }[];
  };
}

const conditionOf = (object: AnyObject, type: string) =>
  (object as AnyObject & PodFields).status?.conditions?.find((c) => c.type === type);

const isTrue = (object: AnyObject, type: string): boolean => conditionOf(object, type)?.status === 'True';

const timeOf = (text: string | undefined): number => Date.parse(text ?? '') || 0;

export function podView(object: AnyObject): PodView {
  const { metadata, spec, status } = object as AnyObject & PodFields;
  const started = status?.containerStatuses?.some(
    ({ state, restartCount }) => state?.running || state?.terminated || (restartCount ?? 0) > 0,
  );
  return {
    name: metadata.name,
    ordinal: ordinalOf(metadata.name),
    uid: metadata.uid ?? '',
    node: spec?.nodeName ?? null,
    ip: status?.podIP ?? null,
    phase: status?.phase ?? 'Unknown',
    ready: isTrue(object, 'Ready'),
    started: started ?? false,
    deleting: metadata.deletionTimestamp !== undefined,
    createdAt: timeOf(metadata.creationTimestamp),
    revision: metadata.labels?.['controller-revision-hash'] ?? null,
    // Empty while the container is only being made.
    container: status?.containerStatuses?.[0]?.containerID || null,
    restarts: status?.containerStatuses?.[0]?.restartCount ?? 0,
    unschedulable: unschedulableOf(object),
  };
}

/** Why no node takes the pod, or null. */
export const unschedulable = (object: AnyObject): string | null => unschedulableOf(object)?.message ?? null;

function unschedulableOf(object: AnyObject): PodView['unschedulable'] {
  const found = conditionOf(object, 'PodScheduled');
  if (found?.status !== 'False') return null;
  return {
    since: timeOf(found.lastTransitionTime),
    message: found.message ?? found.reason ?? 'no node takes it',
  };
}

interface NodeFields {
  readonly spec?: { readonly taints?: readonly { readonly key: string }[] };
}

export function nodeView(object: AnyObject): NodeView {
  const taints = (object as AnyObject & NodeFields).spec?.taints ?? [];
  const ready = conditionOf(object, 'Ready');
  return {
    name: object.metadata.name,
    ready: ready?.status === 'True',
    silentSince: ready && ready.status !== 'True' ? timeOf(ready.lastTransitionTime) : null,
    outOfService: taints.some(({ key }) => key === 'node.kubernetes.io/out-of-service'),
  };
}

interface StatefulSetFields {
  readonly spec?: {
    readonly replicas?: number;
    readonly updateStrategy?: { readonly rollingUpdate?: { readonly partition?: number } };
  };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly readyReplicas?: number;
    readonly currentRevision?: string;
    readonly updateRevision?: string;
  };
}

export function statefulSetView(object: AnyObject): StatefulSetView {
  const { metadata, spec, status } = object as AnyObject & StatefulSetFields;
  return {
    name: metadata.name,
    uid: metadata.uid ?? '',
    resourceVersion: metadata.resourceVersion ?? '',
    replicas: spec?.replicas ?? 0,
    generation: metadata.generation ?? 0,
    observedGeneration: status?.observedGeneration ?? 0,
    currentRevision: status?.currentRevision ?? null,
    updateRevision: status?.updateRevision ?? null,
    readyReplicas: status?.readyReplicas ?? 0,
    partition: spec?.updateStrategy?.rollingUpdate?.partition ?? 0,
    deleting: metadata.deletionTimestamp !== undefined,
  };
}

/** Whether a Deployment has pods of an older template, or its newest pod is not ready. */
export function isRollingOut(object: AnyObject): boolean {
  const { spec, status, metadata } = object as AnyObject & {
    readonly spec?: { readonly replicas?: number };
    readonly status?: Readonly<Record<string, number | undefined>>;
  };
  const wanted = spec?.replicas ?? 1;
  const { observedGeneration = 0, replicas = 0, updatedReplicas = 0, readyReplicas = 0 } = status ?? {};
  return (
    observedGeneration < (metadata.generation ?? 0) ||
    replicas !== wanted ||
    updatedReplicas !== wanted ||
    readyReplicas !== wanted
  );
}

export function volumeView(object: AnyObject): VolumeView {
  const { metadata, spec, status } = object as AnyObject & {
    spec?: { storageClassName?: string };
    status?: { phase?: string };
  };
  return {
    name: metadata.name,
    ordinal: ordinalOf(metadata.name),
    uid: metadata.uid ?? '',
    storageClassName: spec?.storageClassName ?? null,
    used: metadata.annotations?.[USED_ANNOTATION] !== undefined,
    provenEmpty: metadata.annotations?.[PROVEN_EMPTY_ANNOTATION] !== undefined,
    givenUp: metadata.annotations?.[GIVEN_UP_ANNOTATION] !== undefined,
    lost: status?.phase === 'Lost',
    resourceVersion: metadata.resourceVersion ?? '',
    deleting: metadata.deletionTimestamp !== undefined,
  };
}

/** Whether a claim is the spool of this pool's StatefulSet. */
export const isSpoolOf = (object: AnyObject, pool: string, statefulSet: string): boolean =>
  object.metadata.labels?.[LABELS.pool] === pool &&
  object.metadata.name.startsWith(`${SPOOL_VOLUME}-${statefulSet}-`);
