// The members of a SendingPool as its status shows them.
import type { Member } from '../../resources/kinds.ts';
import { SPOOL_VOLUME } from '../desired/names.ts';
import { mayHoldMail, type PodView, type PoolWorld, type Reading } from '../observe/world.ts';

/** Ages are told in steps, so that a status is not written anew each second. */
const AGE_STEP_SECONDS = 10;

/**
 * What a pod does not say now is as it was last said: a silent pod has not become empty. But of a volume that was given up nothing is
 * kept: the pod comes up on another one, and that is no loss to tell of again.
 */
export function membersOf(world: PoolWorld, before: readonly Member[]): Member[] {
  const gone = new Set(world.volumes.filter(({ givenUp }) => givenUp).map(({ ordinal }) => ordinal));
  const last = (pod: string) => before.find((member) => member.pod === pod) ?? null;
  const lastOf = ({ ordinal, name }: PodView) => (gone.has(ordinal) ? null : last(name));
  const present = world.pods.map((pod) => memberOf(world, pod, lastOf(pod)));
  return [...present, ...missing(world, before)];
}

function memberOf(world: PoolWorld, pod: PodView, last: Member | null): Member {
  const reading = world.readings.get(pod.uid);
  const spool = reading?.kind === 'statement' ? reading.statement.spool : null;
  const identity = identityOf(world, pod.ordinal, spool?.id ?? last?.spool);
  const shards =
    world.assignment?.shards.filter(({ owner }) => owner?.uid === pod.uid).map((s) => s.shard) ?? [];
  return {
    pod: pod.name,
    state: stateOf(world, pod, reading),
    queued: spool?.entries ?? last?.queued ?? 0,
    oldestAgeSeconds: spool ? oldestAge(world, spool.oldestAcceptedAt) : (last?.oldestAgeSeconds ?? 0),
    shards,
    ...(pod.node && { node: pod.node }),
    ...(identity !== undefined && { spool: identity }),
  };
}

/** A volume that was proven empty may be replaced by another one without anything being lost. */
const identityOf = ({ volumes }: PoolWorld, ordinal: number, spool: string | undefined) =>
  volumes.some((volume) => volume.ordinal === ordinal && volume.provenEmpty) ? undefined : spool;

/** Who has no pod now: with a volume that may hold mail, or with none any more. Of what nothing was known status.stranded tells alone. */
function missing(world: PoolWorld, before: readonly Member[]): Member[] {
  const present = new Set(world.pods.map(({ name }) => name));
  return before
    .filter((member) => !present.has(member.pod) && isMissed(world, member))
    .map(({ node: _, ...member }) => ({ ...member, state: 'Missing', shards: [] }));
}

/**
 * A pod that is being made anew may have lost its volume: claim and pod can be gone, or the claim be a new one already, when somebody
 * deleted both by hand. What it had is forgotten only when it was proven empty or given up, or else nobody would tell of the loss.
 */
function isMissed({ volumes, statefulSet }: PoolWorld, { pod, spool }: Member): boolean {
  const volume = volumes.find(({ name }) => name === `${SPOOL_VOLUME}-${pod}`);
  if (volume && (mayHoldMail(volume) || volume.provenEmpty || volume.givenUp)) return mayHoldMail(volume);
  const ordinal = Number(/\d+$/.exec(pod)?.[0] ?? Number.NaN);
  return spool !== undefined && ordinal < (statefulSet?.replicas ?? 0);
}

const oldestAge = ({ now }: PoolWorld, acceptedAt: number | null): number =>
  acceptedAt ? ageSeconds(now - acceptedAt) : 0;

const ageSeconds = (ms: number): number =>
  Math.max(0, Math.floor(ms / 1000 / AGE_STEP_SECONDS) * AGE_STEP_SECONDS);

function stateOf(world: PoolWorld, pod: PodView, reading: Reading | undefined): Member['state'] {
  if (pod.deleting) return 'Leaving';
  if (!pod.started || !reading) return 'Starting';
  if (reading.kind === 'unknown') return pod.ready ? 'Unreachable' : 'Starting';
  const member = world.assignment?.members.find(({ uid }) => uid === pod.uid);
  if (!member) return pod.ready ? 'Active' : 'Starting';
  if (!member.cordoned) return 'Active';
  const { spool, unacknowledged, inFlight } = reading.statement;
  if (spool.entries + unacknowledged + inFlight === 0) return 'Empty';
  return member.handOver ? 'HandingOver' : 'Cordoned';
}
