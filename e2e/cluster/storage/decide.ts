// Which volumes to make and which to remove, from one picture of all claims and volumes. Pure.
import { basename, join } from 'node:path';
import { PROVISIONER, storageClass } from './class.ts';

export interface Claim {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly uid: string;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: {
    readonly storageClassName?: string;
    readonly volumeName?: string;
    readonly accessModes?: readonly string[];
    readonly volumeMode?: string;
    readonly resources?: { readonly requests?: { readonly storage?: string } };
  };
}

export interface Volume {
  readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> };
  readonly spec: {
    readonly persistentVolumeReclaimPolicy?: string;
    readonly local?: { readonly path: string };
  };
  readonly status?: { readonly phase?: string };
}

export interface NewVolume {
  readonly path: string;
  readonly manifest: object;
}

/** The scheduler writes the node that it chose here, and waits for the volume. */
const SELECTED_NODE = 'volume.kubernetes.io/selected-node';
const PROVISIONED_BY = 'pv.kubernetes.io/provisioned-by';

const volumeName = (claim: Claim): string => `pvc-${claim.metadata.uid}`;

/** Volumes to make: for claims of our class that have a node and no volume yet. */
export function missingVolumes(
  claims: readonly Claim[],
  volumes: readonly Volume[],
  root: string,
): NewVolume[] {
  const there = new Set(volumes.map((volume) => volume.metadata.name));
  return claims.flatMap((claim) => {
    const node = claim.metadata.annotations?.[SELECTED_NODE];
    const ours = claim.spec.storageClassName === storageClass.metadata.name;
    if (!ours || !node || claim.spec.volumeName || there.has(volumeName(claim))) return [];
    const path = join(root, basename(node), 'volumes', volumeName(claim));
    return [{ path, manifest: manifest(claim, node, path) }];
  });
}

function manifest(claim: Claim, node: string, path: string): object {
  const { name, namespace, uid } = claim.metadata;
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: volumeName(claim), annotations: { [PROVISIONED_BY]: PROVISIONER } },
    spec: {
      capacity: { storage: claim.spec.resources?.requests?.storage ?? '1Gi' },
      accessModes: claim.spec.accessModes ?? ['ReadWriteOnce'],
      storageClassName: storageClass.metadata.name,
      persistentVolumeReclaimPolicy: storageClass.reclaimPolicy,
      claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', name, namespace, uid },
      // `local`, not `hostPath`: only the former obeys the pod's fsGroup
      local: { path },
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [
            { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [node] }] },
          ],
        },
      },
    },
  };
}

/** Volumes to remove with their folders: ours, released by their claims, and not to be kept. */
export function releasedVolumes(volumes: readonly Volume[], root: string): { name: string; path: string }[] {
  return volumes.flatMap(({ metadata, spec, status }) => {
    const ours = metadata.annotations?.[PROVISIONED_BY] === PROVISIONER;
    const path = spec.local?.path;
    const released = status?.phase === 'Released' && spec.persistentVolumeReclaimPolicy === 'Delete';
    return ours && released && path?.startsWith(`${root}/`) ? [{ name: metadata.name, path }] : [];
  });
}
