// Which pod shares its spooled backlog with the others. New mail follows the shards to a new pod by itself; what a busy pod had spooled
// before stays, and the new one would look on. Such a pod is asked to hand over what it could send now but does not get to, by the
// transfers of a drain, and only what belongs to shards that others own by now. So a parcel goes home, to the owner of its shard, and
// nobody has a reason to send it on: it cannot go to and fro. What waits for its due time, or for a limit, stays where it is. Pure.
import type { Statement } from '../../mta/bus/snapshot.ts';
import type { PodView, PoolWorld } from '../observe/world.ts';
import { hasLeft } from './assign.ts';
import { othersHaveRoom } from './drain-room.ts';
import { isSettling } from './restart.ts';
import { rolloutRuns } from './rollout.ts';

/** Less than this is sent before it is handed over. */
const BEGIN_READY = 5000;
const END_READY = 1000;
/** The idlest other has at most this part of it at the begin; sharing ends when it has got to the second. */
const BEGIN_SHARE = 1 / 4;
const END_SHARE = 1 / 2;

interface Worker {
  readonly pod: PodView;
  readonly statement: Statement;
  readonly ready: number;
}

/** UID of the one pod that shares, or null. Whoever is sharing goes on until it is much nearer to the others. */
export function whoShares(world: PoolWorld): string | null {
  const workers = isSettled(world) ? workersOf(world) : null;
  if (!workers || workers.length < 2) return null;
  const sharing = world.assignment?.members.find((m) => m.share)?.uid;
  const goesOn = workers.find(
    (one) => one.pod.uid === sharing && isAhead(one, workers, END_READY, END_SHARE),
  );
  const fullest = workers.reduce((a, b) => (b.ready > a.ready ? b : a));
  const giver = goesOn ?? (isAhead(fullest, workers, BEGIN_READY, BEGIN_SHARE) ? fullest : null);
  return giver && haveRoomFor(giver, world) ? giver.pod.uid : null;
}

/** It has at least so much, and somebody has at most this part of it. */
function isAhead(one: Worker, workers: readonly Worker[], ready: number, share: number): boolean {
  const idlest = Math.min(...workers.filter((other) => other !== one).map((other) => other.ready));
  return one.ready >= ready && idlest <= one.ready * share;
}

function haveRoomFor({ pod, statement }: Worker, world: PoolWorld): boolean {
  return othersHaveRoom({ world, ordinal: pod.ordinal, name: pod.name, pod, statement }) === null;
}

/** Nobody leaves, nothing is replaced, and every shard is where it is to be. */
function isSettled({ assignment, statefulSet: set, pods }: PoolWorld): boolean {
  if (!assignment || !set || set.deleting || rolloutRuns(set)) return false;
  const uids = new Set(pods.filter((pod) => !pod.deleting).map(({ uid }) => uid));
  return (
    assignment.members.every(({ cordoned, uid }) => !cordoned && uids.has(uid)) &&
    assignment.shards.every((s) => s.owner && uids.has(s.owner.uid) && !s.releasing && !isSettling(s))
  );
}

/** Every pod that works shards; null when one does not say how much it has. */
function workersOf(world: PoolWorld): Worker[] | null {
  const { assignment, pods, readings } = world;
  const owners = new Set(assignment?.shards.map(({ owner }) => owner?.uid));
  const workers: Worker[] = [];
  for (const pod of pods) {
    if (!owners.has(pod.uid)) continue;
    const reading = readings.get(pod.uid);
    const statement = reading?.kind === 'statement' ? reading.statement : null;
    const ready = statement?.work?.ready ?? null;
    if (!statement || ready === null || hasLeft(world, pod)) return null;
    workers.push({ pod, statement, ready });
  }
  return workers;
}
