// Which spool volumes may be settled (rule 7). A volume is let go only when it was proven empty and its pod is gone.
import type { PoolWorld, VolumeView } from '../observe/world.ts';

/** Volumes proven empty whose pods are gone: until then a pod could still write. */
export const drainedVolumes = ({ statefulSet, volumes, pods }: PoolWorld): VolumeView[] =>
  volumes.filter(
    ({ provenEmpty, deleting, ordinal }) =>
      provenEmpty &&
      !deleting &&
      statefulSet !== null &&
      ordinal >= statefulSet.replicas &&
      !pods.some((pod) => pod.ordinal === ordinal),
  );
