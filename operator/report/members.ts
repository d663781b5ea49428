// The members of a SendingPool as its status shows them.
import type { Member } from '../../resources/kinds.ts';
import type { PodView, PoolWorld, Reading } from '../observe/world.ts';

/** Ages are told in steps, so that a status is not written anew each second. */
const AGE_STEP_SECONDS = 10;

export function membersOf(world: PoolWorld): Member[] {
  return world.pods.map((pod) => memberOf(world, pod));
}

function memberOf(world: PoolWorld, pod: PodView): Member {
  const reading = world.readings.get(pod.uid);
  const spool = reading?.kind === 'statement' ? reading.statement.spool : null;
  const shards =
    world.assignment?.shards.filter(({ owner }) => owner?.uid === pod.uid).map((s) => s.shard) ?? [];
  return {
    pod: pod.name,
    state: stateOf(world, pod, reading),
    queued: spool?.entries ?? 0,
    oldestAgeSeconds: spool?.oldestAcceptedAt ? ageSeconds(world.now - spool.oldestAcceptedAt) : 0,
    shards,
    ...(pod.node && { node: pod.node }),
  };
}

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
