// The partition of the delivery StatefulSet: which pods may take a new template. The operator lowers it one pod at a time,
// and never while a drain runs, so that a rollout and a scale-down never meet in one pod.
import type { PodView, PoolWorld, StatefulSetView } from '../observe/world.ts';

/** The `partition` to write: pods with this ordinal or a higher one are updated. */
export function nextPartition(world: Pick<PoolWorld, 'statefulSet' | 'pods' | 'assignment'>): number {
  const set = world.statefulSet;
  if (!set) return 0;
  const old = world.pods.filter((pod) => pod.ordinal < set.replicas && pod.revision !== set.updateRevision);
  if (old.length === 0) return set.currentRevision === set.updateRevision ? set.replicas : set.partition;
  const next = Math.max(...old.map(({ ordinal }) => ordinal));
  const draining = world.assignment?.members.some((member) => member.cordoned) ?? false;
  // A rollout that has begun goes to its end, or it and a drain would wait for each other for ever.
  if (draining && !rolloutRuns(set)) return next + 1;
  if (!othersReady(world.pods, set.replicas, next)) return next + 1;
  // Nothing new is asked for before the controller has seen what was; but taken back unseen, it might be asked for for ever.
  return isObserved(set) || set.partition === next ? next : next + 1;
}

const isObserved = (set: StatefulSetView): boolean => set.observedGeneration >= set.generation;

/** At most one pod is away at a time; a pod that is broken anyway may be the one. */
function othersReady(pods: readonly PodView[], replicas: number, next: number): boolean {
  const ready = pods.filter(
    (pod) => pod.ordinal < replicas && pod.ordinal !== next && pod.ready && !pod.deleting,
  );
  return ready.length === replicas - 1;
}

/** Pods are being replaced: the template has changed and the partition lets some pod take it. */
export function rolloutRuns(set: StatefulSetView): boolean {
  return set.currentRevision !== set.updateRevision && set.partition < set.replicas;
}
