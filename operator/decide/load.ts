// How much work a pool has that another pod could take: mail that may be sent now, attempts under way, recipients attempted a second.
// What waits for its due time, or for a limit or a blocked site, is none of it: more pods would not send it sooner. Pure.
import type { Statement } from '../../mta/bus/snapshot.ts';
import type { StreamsView } from '../nats/backlog.ts';
import type { PoolWorld } from '../observe/world.ts';

export interface Load {
  /** Recipients in spools and parcels in hand or in the streams. */
  readonly ready: number;
  readonly inFlight: number;
  readonly perSecond: number;
  /** Whose share is missing in the numbers: they are then the least that there is, never the whole. */
  readonly silent: readonly string[];
}

/** @param streams null: not read, or not made yet. */
export function loadOf(world: PoolWorld, streams: Pick<StreamsView, 'parcels'> | null): Load {
  const statements = [...world.readings.values()].flatMap((r) =>
    r.kind === 'statement' ? [r.statement] : [],
  );
  const sum = (number: (statement: Statement) => number) =>
    statements.reduce((total, statement) => total + number(statement), 0);
  // A stream keeps what is pulled until it is acknowledged; pods count that themselves.
  const inStreams = Math.max(0, (streams?.parcels ?? 0) - sum((s) => s.unacknowledged));
  return {
    ready: inStreams + sum((s) => s.work?.ready ?? 0),
    inFlight: sum((s) => s.inFlight),
    perSecond: sum((s) => s.work?.perSecond ?? 0),
    silent: [...(streams ? [] : ['the streams']), ...silentPods(world)],
  };
}

/** A pod that is not ready and was never given a shard has nothing; every other one must say so. */
function silentPods({ assignment, pods, readings }: PoolWorld): string[] {
  if (!assignment) return ['the assignment'];
  const owners = assignment.shards.flatMap(({ owner }) => owner ?? []);
  const ready = pods.filter((pod) => pod.ready).map(({ uid, name }) => ({ uid, pod: name }));
  const all = new Map([...assignment.members, ...owners, ...ready].map(({ uid, pod }) => [uid, pod]));
  const silent = [...all].filter(([uid]) => {
    const reading = readings.get(uid);
    return reading?.kind !== 'statement' || (reading.statement.work?.ready ?? null) === null;
  });
  return silent.map(([, pod]) => pod);
}
