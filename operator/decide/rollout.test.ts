import type { PodView, PoolWorld } from '../observe/world.ts';
import { nextPartition } from './rollout.ts';
import { podView, worldOf } from './scripted-world.ts';

function rolling(partition: number, pods: readonly PodView[], over: Partial<PoolWorld> = {}): PoolWorld {
  const base = worldOf(3, { pods, ...over });
  return {
    ...base,
    statefulSet: base.statefulSet && { ...base.statefulSet, partition, updateRevision: 'r2' },
  };
}
/** The controller has not seen the last write. */
function unseen(partition: number, first: PodView = podView(0)): PoolWorld {
  const world = rolling(partition, [first, podView(1), podView(2)]);
  const { statefulSet } = world;
  return { ...world, statefulSet: statefulSet && { ...statefulSet, generation: 5, observedGeneration: 4 } };
}
const updated = (ordinal: number, ready = true) => podView(ordinal, { revision: 'r2', ready });

describe('rule 8: a rolling change is no scale-down: one pod at a time, each comes back to its spool', () => {
  test.each<[string, PoolWorld, number]>([
    ['at rest no pod may change', worldOf(3), 3],
    ['a new template: the highest ordinal first', rolling(3, [podView(0), podView(1), podView(2)]), 2],
    [
      'the next waits until the updated pod is ready',
      rolling(2, [podView(0), podView(1), updated(2, false)]),
      2,
    ],
    ['then the next', rolling(2, [podView(0), podView(1), updated(2)]), 1],
    ['the last', rolling(1, [podView(0), updated(1), updated(2)]), 0],
    [
      'no pod is taken while another is away',
      rolling(3, [podView(0, { ready: false }), podView(1), podView(2)]),
      3,
    ],
    [
      'a broken pod may itself be the one',
      rolling(3, [podView(0), podView(1), podView(2, { ready: false })]),
      2,
    ],
    ['nothing is asked for before the controller has seen the template', unseen(3), 3],
    ['what was asked for is not taken back before it has seen that', unseen(2), 2],
    ['unless another pod is away', unseen(2, podView(0, { ready: false })), 3],
  ])('%s', (_, world, partition) => expect(nextPartition(world)).toBe(partition));

  const cordoned = {
    version: 1 as const,
    pool: 'mail/demo',
    revision: 1,
    members: [{ pod: 'demo-delivery-2', uid: 'uid-2', cordoned: true, handOver: false }],
    shards: [],
  };

  test('a rollout does not begin while a drain runs', () => {
    expect(nextPartition(rolling(3, [podView(0), podView(1), podView(2)], { assignment: cordoned }))).toBe(3);
  });

  test('one that has begun goes to its end', () => {
    expect(nextPartition(rolling(2, [podView(0), podView(1), updated(2)], { assignment: cordoned }))).toBe(1);
  });
});
