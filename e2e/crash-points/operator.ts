// A scenario for each step of a drain at which the operator can be killed.
import type { Assignment } from '../../mta/bus/snapshot.ts';
import type { FailpointName } from '../../process/failpoint.ts';
import type { OperatorWalk } from './operator-walk.ts';

export interface DrainOutcome {
  /** At the moment of the kill. */
  readonly replicas: number;
  /** Most owners that a shard has had one after the other, until the pool was at rest: its epochs. */
  readonly moves: number;
}
export type DrainScenario = (walk: OperatorWalk) => Promise<DrainOutcome>;

const drained =
  (point: FailpointName): DrainScenario =>
  async (walk) => {
    const before = (await walk.assignment()) as Assignment;
    await walk.end();
    walk.run(point);
    await walk.scale(1);
    await walk.killed(point);
    const replicas = await walk.replicas();
    walk.run();
    await walk.atRest(1);
    const after = (await walk.assignment()) as Assignment;
    await walk.scale(2);
    await walk.atRest(2);
    return { replicas, moves: mostMoves(before, after) };
  };

function mostMoves(before: Assignment, after: Assignment): number {
  const epochs = new Map(before.shards.map(({ shard, epoch }) => [shard, epoch]));
  return Math.max(...after.shards.map(({ shard, epoch }) => epoch - (epochs.get(shard) ?? 0)));
}

export const OF_OPERATOR = {
  'operator.before-assignment': drained('operator.before-assignment'),
  'operator.assignment-written': drained('operator.assignment-written'),
  'operator.proven-empty': drained('operator.proven-empty'),
  'operator.scaled': drained('operator.scaled'),
} satisfies Record<string, DrainScenario>;
