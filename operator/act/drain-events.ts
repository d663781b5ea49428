// Tells people about the steps of a drain, once each.
import type { Assignment } from '../../mta/bus/snapshot.ts';
import { hasLeft } from '../decide/assign.ts';
import { type DrainVerdict, isBlocked } from '../decide/drain.ts';
import { wasBlocked } from '../decide/drain-lasting.ts';
import type { PoolWorld } from '../observe/world.ts';
import type { AnyObject } from '../runtime/objects.ts';
import type { Deps, EventNote } from './deps.ts';

interface DrainChange {
  readonly world: PoolWorld;
  readonly drain: DrainVerdict;
  /** What was decided the time before; null right after a start. */
  readonly before: DrainVerdict | null;
  readonly next: Assignment | null;
}

export function tellDrain(deps: Pick<Deps, 'tell'>, about: AnyObject, change: DrainChange): void {
  for (const note of [...stepNotes(change), ...refusalNotes(change), ...moveNotes(change)])
    deps.tell(about, note);
}

const normal = (reason: EventNote['reason'], note: string): EventNote => ({
  type: 'Normal',
  reason,
  action: 'Drain',
  note,
});

/** A step is told when the assignment that makes it is written. */
function stepNotes({ world, drain, next }: DrainChange): EventNote[] {
  if (!next) return [];
  const was = (uid: string) => world.assignment?.members.find((m) => m.uid === uid);
  const started = next.members.filter((m) => m.cordoned && !was(m.uid)?.cordoned);
  const cancelled = next.members.filter(
    (m) => !m.cordoned && was(m.uid)?.cordoned && stays(world, drain, m.uid),
  );
  const sharing = next.members.filter((m) => m.share && !was(m.uid)?.share);
  const handing = next.members.filter((m) => m.handOver && !was(m.uid)?.handOver);
  const left = drain.kind === 'Leave' ? ` (${drain.left ?? 'an unknown number'} left)` : '';
  return [
    ...started.map(({ pod }) => normal('DrainStarted', `${pod} is asked to leave${left}`)),
    ...cancelled.map(({ pod }) => normal('DrainCancelled', `${pod} stays`)),
    ...sharing.map(({ pod, uid }) =>
      normal('Rebalancing', `${pod} shares its backlog${readyOf(world, uid)}`),
    ),
    ...handing.map(({ pod }) =>
      normal('HandingOver', `${pod} hands its spool to the shards of others${left}`),
    ),
  ];
}

function readyOf({ readings }: PoolWorld, uid: string): string {
  const reading = readings.get(uid);
  const ready = reading?.kind === 'statement' ? reading.statement.work?.ready : null;
  return ready ? `: ${ready} could be sent now` : '';
}

/** Neither past the last replica already, nor only uncordoned for as long as its drain has to wait. */
function stays(world: PoolWorld, drain: DrainVerdict, uid: string): boolean {
  const pod = world.pods.find((one) => one.uid === uid);
  return pod !== undefined && !hasLeft(world, pod) && !(drain.kind === 'Leave' && drain.uid === uid);
}

function refusalNotes({ drain, before }: DrainChange): EventNote[] {
  if (drain.kind !== 'Leave' || !drain.refusal || !isBlocked(drain.refusal)) return [];
  const { reason, message } = drain.refusal;
  return wasBlocked(before, drain.uid, drain.refusal)
    ? []
    : [{ type: 'Warning', reason, action: 'DrainRefused', note: message }];
}

function moveNotes({ world, next }: DrainChange): EventNote[] {
  const moved = next?.shards.filter(({ shard, owner, epoch }) => {
    const old = world.assignment?.shards.find((s) => s.shard === shard);
    return old?.owner && owner && old.epoch !== epoch;
  });
  if (!moved?.length) return [];
  const list = moved.map(({ shard, owner }) => `${shard} to ${owner?.pod}`).join(', ');
  return [{ type: 'Normal', reason: 'ShardMoved', action: 'Assign', note: `shards moved: ${list}` }];
}
