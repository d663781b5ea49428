// A container that restarts keeps its pod's UID and forgets what it had in hand. "Unacknowledged 0" of the new process is then no
// proof: JetStream still waits for acknowledgements of what the process before had pulled, and a copy of it may be on this pod's
// volume already. Given to another pod, that mail would go out twice. So the pod keeps its shards until everything that was
// delivered before the restart was seen has been delivered to it again and acknowledged. The same holds for a pod that is made anew on the
// volume of one that is gone.
import type { Assignment, ShardAssignment } from '../../mta/bus/snapshot.ts';
import type { ConsumerView, PodView, PoolWorld } from '../observe/world.ts';

export const isSettling = ({ settling }: ShardAssignment): boolean => settling !== undefined;

/** The run of the pod's process: as it states itself, or, when it states none, as the kubelet says. Unknown while it is silent. */
export function processOf(
  { readings }: Pick<PoolWorld, 'readings'>,
  { uid, container }: PodView,
): string | undefined {
  const reading = readings.get(uid);
  return reading?.kind === 'statement' ? (reading.statement.process ?? container ?? undefined) : undefined;
}

/** UIDs of members that run another process than the assignment knows. */
export function restarted(world: Pick<PoolWorld, 'pods' | 'readings'>, before: Assignment): Set<string> {
  const another = world.pods.filter((pod) => {
    const member = before.members.find(({ uid }) => uid === pod.uid);
    const process = processOf(world, pod);
    return member && process !== undefined && process !== member.process;
  });
  return new Set(another.map(({ uid }) => uid));
}

/** The shards whose consumers have to be looked at before a decision. */
export function shardsToLookAt(
  world: Pick<PoolWorld, 'pods' | 'readings'>,
  before: Assignment | null,
): number[] {
  if (!before) return [];
  const uids = restarted(world, before);
  const there = new Set(world.pods.map(({ uid }) => uid));
  return before.shards
    .filter(({ owner, settling }) => settling || (owner && (uids.has(owner.uid) || !there.has(owner.uid))))
    .map(({ shard }) => shard);
}

/** Marks the shards of restarted owners, and takes the mark off those that have settled. */
export function afterRestarts(
  world: PoolWorld,
  before: Assignment,
  shards: readonly ShardAssignment[],
): ShardAssignment[] {
  const uids = restarted(world, before);
  return shards.map((shard) => {
    const consumers = world.consumers.get(shard.shard) ?? [];
    if (uids.has(shard.owner?.uid ?? '')) return { ...shard, settling: deliveredOf(consumers) };
    if (!shard.settling || !world.consumers.has(shard.shard)) return shard;
    const { settling, ...settled } = shard;
    return consumers.every((one) => hasSettled(one, settling[one.name] ?? 0)) ? settled : shard;
  });
}

/** A stream that never held what was delivered was made anew since: of the one before nothing comes again. */
const hasSettled = ({ ackFloor, last }: ConsumerView, delivered: number): boolean =>
  ackFloor >= delivered || last < delivered;

/** What the successor on a lost owner's volume has to be given again; nothing, when the shard has no consumers. */
export function settlingOf(
  { consumers }: Pick<PoolWorld, 'consumers'>,
  shard: number,
): Pick<ShardAssignment, 'settling'> {
  const seen = consumers.get(shard) ?? [];
  return seen.length > 0 ? { settling: deliveredOf(seen) } : {};
}

const deliveredOf = (consumers: readonly ConsumerView[]): Record<string, number> =>
  Object.fromEntries(consumers.map(({ name, delivered }) => [name, delivered]));
