// What is known of the mail on spool volumes, as annotations on their claims, where it outlives every operator: `used-since` from
// before its pod is first given a shard, `proven-empty` from when a removal was proven until the pod is given a shard again.
import type { Assignment } from '../../mta/bus/snapshot.ts';
import { hasLeft } from '../decide/assign.ts';
import { drainedVolumes } from '../decide/volumes.ts';
import { PROVEN_EMPTY_ANNOTATION, SPOOL_VOLUME, USED_ANNOTATION } from '../desired/names.ts';
import type { PoolWorld } from '../observe/world.ts';
import { refOf, TYPES } from '../runtime/objects.ts';
import type { Deps } from './deps.ts';

type Api = Pick<Deps, 'api'>;

const namespaceOf = ({ pool }: PoolWorld): string => refOf(pool).namespace ?? '';

/**
 * Marks the volumes of pods that are about to be given shards: from then on they may hold mail. Whoever had none before is marked
 * whatever the cache shows, which may be of before a mark was taken off.
 */
export async function markUsed(
  { api, now }: Api & Pick<Deps, 'now'>,
  world: PoolWorld,
  next: Assignment,
): Promise<void> {
  const owners = (assignment: Assignment | null) =>
    new Set(assignment?.shards.flatMap(({ owner }) => (owner ? [owner.pod] : [])));
  const before = owners(world.assignment);
  for (const pod of owners(next)) {
    const name = `${SPOOL_VOLUME}-${pod}`;
    const volume = world.volumes.find((v) => v.name === name);
    if (before.has(pod) && volume?.used && !volume.provenEmpty) continue;
    const used = new Date(now()).toISOString();
    const body = {
      metadata: { annotations: { [USED_ANNOTATION]: used, [PROVEN_EMPTY_ANNOTATION]: null } },
    };
    await api.patch(
      TYPES.persistentVolumeClaims,
      { namespace: namespaceOf(world), name },
      { kind: 'merge', body },
    );
  }
}

/** Notes that these pods were proven empty, right before replicas are lowered. */
export async function markProvenEmpty(
  { api, now }: Api & Pick<Deps, 'now'>,
  world: PoolWorld,
  ordinals: readonly number[],
): Promise<void> {
  for (const { ordinal, name, uid } of world.volumes) {
    if (!ordinals.includes(ordinal)) continue;
    const annotations = { [PROVEN_EMPTY_ANNOTATION]: new Date(now()).toISOString() };
    const body = { metadata: { uid, annotations } };
    const ref = { namespace: namespaceOf(world), name };
    await api.patch(TYPES.persistentVolumeClaims, ref, { kind: 'merge', body });
  }
}

/** Deletes drained volumes when the pool says so (rule 7), else takes the marks off; only as they were seen, unchanged. */
export async function settleVolumes(
  { api }: Api,
  world: PoolWorld,
  whenDrained: 'Keep' | 'Delete',
  told: (volume: string, what: 'VolumeDeleted' | 'VolumeKept') => void,
): Promise<void> {
  for (const { name, uid, resourceVersion } of drainedVolumes(world)) {
    const ref = { namespace: namespaceOf(world), name };
    if (whenDrained === 'Delete')
      await api.delete(TYPES.persistentVolumeClaims, ref, { uid, resourceVersion });
    else {
      const annotations = { [USED_ANNOTATION]: null, [PROVEN_EMPTY_ANNOTATION]: null };
      const body = { metadata: { uid, resourceVersion, annotations } };
      await api.patch(TYPES.persistentVolumeClaims, ref, { kind: 'merge', body });
    }
    told(name, whenDrained === 'Delete' ? 'VolumeDeleted' : 'VolumeKept');
  }
}

/** A pod that came back while its volume was being deleted gets no shards (decide/assign.ts); started anew it gets a new volume. */
export async function replacePods({ api }: Api, world: PoolWorld): Promise<void> {
  const owners = new Set(world.assignment?.shards.map(({ owner }) => owner?.uid));
  for (const pod of world.pods) {
    const volume = world.volumes.find(({ ordinal }) => ordinal === pod.ordinal);
    // One that is used may hold mail, and who deletes it by hand must not be helped.
    if (!volume?.deleting || (volume.used && !volume.provenEmpty)) continue;
    if (pod.deleting || owners.has(pod.uid) || hasLeft(world, pod)) continue;
    await api.delete(TYPES.pods, { namespace: namespaceOf(world), name: pod.name }, { uid: pod.uid });
  }
}
