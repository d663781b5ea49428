// Mail that no pod can work now (rule 10): it is said how many recipients, on which volume, since when and why, and never
// pretended away. Each time anew from the picture; only the last known count and the first moment are remembered, in the
// status, which outlives the operator.
import type { Member, Stranded } from '../../resources/kinds.ts';
import { mayHoldMail, type PodView, type PoolWorld, type VolumeView } from '../observe/world.ts';
import { unfencedReason } from './fence.ts';

/** What the status said before. */
export interface SpoolMemory {
  readonly members?: readonly Member[];
  readonly stranded?: readonly Stranded[];
}

/** A node may take a while to be added; a pod that waits for less is on its way. */
export const PENDING_PATIENCE_MS = 60_000;

const isUnplaced = ({ unschedulable }: PodView, now: number): boolean =>
  unschedulable !== null && now - unschedulable.since >= PENDING_PATIENCE_MS;

/** Pods that no node takes and that will not be back soon. */
export const unplaced = ({ pods, now }: Pick<PoolWorld, 'pods' | 'now'>): PodView[] =>
  pods.filter((pod) => isUnplaced(pod, now));

type Cause = Pick<Stranded, 'why' | 'message'> & { readonly since: number };

/** All stranded mail, by volume. Pure; the clock is `world.now`. */
export function strandedSpools(world: PoolWorld, before: SpoolMemory): Stranded[] {
  const unreachable = world.volumes.filter(mayHoldMail).flatMap((volume) => {
    const pod = world.pods.find(({ ordinal }) => ordinal === volume.ordinal) ?? null;
    const cause = causeOf(world, volume, pod);
    return cause ? [entryOf(world, before, volume, cause)] : [];
  });
  const named = new Set(unreachable.map(({ volume }) => volume));
  return [...unreachable, ...lostSpools(world, before).filter(({ volume }) => !named.has(volume))];
}

/** Why no pod works the volume; null: one does, or is about to. */
function causeOf(world: PoolWorld, volume: VolumeView, pod: PodView | null): Cause | null {
  const { now, statefulSet, desiredReplicas } = world;
  const isHeard = pod !== null && world.readings.get(pod.uid)?.kind === 'statement';
  const unfenced = isHeard ? null : unfencedFormer(world, podName(world, volume.ordinal), pod);
  if (unfenced) return unfenced;
  if (volume.lost)
    return {
      why: 'VolumeLost',
      message: `${volume.name} has lost its volume: what was on it is gone`,
      since: now,
    };
  if (!pod) {
    const replicas = statefulSet?.replicas ?? desiredReplicas;
    if (volume.ordinal < replicas) return null; // being made again
    const message = 'no pod works it; raise replicas to bring its pod back';
    return { why: 'NoPod', message, since: now };
  }
  const waiting = pod.unschedulable;
  if (waiting && isUnplaced(pod, now))
    return {
      why: 'PodUnschedulable',
      message: `no node takes ${pod.name}: ${waiting.message}`,
      since: waiting.since,
    };
  return world.readings.get(pod.uid)?.kind === 'statement' ? null : ofNode(world, pod);
}

/** A pod that is gone from its name only, as after a forced deletion: nobody knows that it has ended. */
function unfencedFormer(world: PoolWorld, name: string, pod: PodView | null): Cause | null {
  const formers = world.assignment?.shards.map(({ owner }) => owner) ?? [];
  const owner = formers.find((one) => one?.pod === name && one.uid !== pod?.uid);
  const reason = owner ? unfencedReason(world, owner) : null;
  if (!owner || reason === null) return null;
  const node = world.nodes?.find((one) => one.name === owner.node);
  const message = `the pod that worked it before may still run: ${reason}`;
  return { why: 'NodeSilent', message, since: node?.silentSince ?? world.now };
}

/** A pod that still answers is at work, whatever its node says. */
function ofNode({ nodes, now }: PoolWorld, pod: PodView): Cause | null {
  if (nodes === null || pod.node === null) return null;
  const node = nodes.find(({ name }) => name === pod.node);
  if (!node)
    return { why: 'NodeGone', message: `node ${pod.node} was removed with ${pod.name} on it`, since: now };
  if (node.ready) return null;
  const message = `node ${node.name} is silent; ${pod.name} goes on when it returns`;
  return { why: 'NodeSilent', message, since: node.silentSince ?? now };
}

function entryOf(
  world: PoolWorld,
  before: SpoolMemory,
  { name, ordinal }: VolumeView,
  cause: Cause,
): Stranded {
  const pod = podName(world, ordinal);
  const known = before.stranded?.find(({ volume }) => volume === name);
  const queued = lastQueued(world, before, pod) ?? known?.queued;
  const { why, message } = cause;
  const since = known?.since ?? seconds(cause.since);
  return { pod, volume: name, ...(queued !== undefined && { queued }), why, message, since };
}

const podName = ({ volumes }: PoolWorld, ordinal: number): string =>
  volumes.find((v) => v.ordinal === ordinal)?.name.replace(/^spool-/, '') ?? '';

const seconds = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');

function lastQueued(world: PoolWorld, before: SpoolMemory, name: string): number | undefined {
  const pod = world.pods.find((one) => one.name === name);
  const reading = pod && world.readings.get(pod.uid);
  if (reading?.kind === 'statement') return reading.statement.spool.entries;
  return before.members?.find((member) => member.pod === name)?.queued;
}

/** Spools whose pod came up on another one, until the lost one is back or is given up. */
function lostSpools(world: PoolWorld, before: SpoolMemory): Stranded[] {
  const kept = (before.stranded ?? []).filter(
    (entry) => entry.spool !== undefined && spoolOf(world, entry.pod) !== entry.spool,
  );
  const said = [...kept, ...deletedSpools(world, before)];
  const fresh = (before.members ?? []).flatMap((member) => {
    const now = spoolOf(world, member.pod);
    const isOther = member.spool !== undefined && now !== undefined && now !== member.spool;
    return isOther && !said.some(({ spool }) => spool === member.spool) ? [lostEntry(world, member)] : [];
  });
  return [...said, ...fresh];
}

/** What was stranded on a claim that somebody has deleted since: no pod has to come up for that to be a loss. */
function deletedSpools({ volumes }: PoolWorld, { stranded = [], members = [] }: SpoolMemory): Stranded[] {
  const deleted = stranded.filter(
    ({ volume, spool }) => spool === undefined && !volumes.some(({ name }) => name === volume),
  );
  return deleted.map((entry) => ({
    ...entry,
    why: 'VolumeLost',
    message: `${entry.volume} was deleted with what was on it`,
    // Whoever never said which spool it was can't be known again either: such an entry stays until it is cleared.
    spool: members.find(({ pod }) => pod === entry.pod)?.spool ?? entry.volume,
  }));
}

function lostEntry({ now }: PoolWorld, { pod, queued, spool }: Member): Stranded {
  const message = `${pod} came up on another, empty volume than the one that it had worked`;
  return {
    pod,
    volume: `spool-${pod}`,
    queued,
    why: 'VolumeLost',
    message,
    since: seconds(now),
    ...(spool !== undefined && { spool }),
  };
}

function spoolOf({ pods, readings }: PoolWorld, name: string): string | undefined {
  const uid = pods.find((pod) => pod.name === name)?.uid;
  const reading = uid === undefined ? undefined : readings.get(uid);
  return reading?.kind === 'statement' ? reading.statement.spool.id : undefined;
}

/** In one sentence each, for people. */
export const strandedText = ({ volume, queued, since, message }: Stranded): string =>
  `${queued ?? 'an unknown number of'} recipients on ${volume} since ${since}: ${message}`;
