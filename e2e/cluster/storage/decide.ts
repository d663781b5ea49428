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
  readonly bytes: number;
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
    return [{ path, bytes: bytesOf(sizeOf(claim)), manifest: manifest(claim, node, path) }];
  });
}

const sizeOf = (claim: Claim): string => claim.spec.resources?.requests?.storage ?? '1Gi';

const UNITS: Readonly<Record<string, number>> = {
  ...{ '': 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12 },
  ...{ Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40 },
};

/** Bytes of a quantity like `1Gi`. @throws RangeError on what is none */
export function bytesOf(quantity: string): number {
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?)([a-zA-Z]*)$/.exec(quantity) ?? [];
  const factor = UNITS[unit];
  if (number === '' || factor === undefined) throw new RangeError(`${quantity} is no size of a volume`);
  return Math.round(Number(number) * factor);
}

function manifest(claim: Claim, node: string, path: string): object {
  const { name, namespace, uid } = claim.metadata;
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: volumeName(claim), annotations: { [PROVISIONED_BY]: PROVISIONER } },
    spec: {
      capacity: { storage: sizeOf(claim) },
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
