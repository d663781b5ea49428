import type { PodWork } from '../../mta/bus/snapshot.ts';
import type { PoolWorld } from '../observe/world.ts';
import { nextAssignment } from './assign.ts';
import { loadOf } from './load.ts';
import { obedientStatement, podView, readingsOf, unknownReading, worldOf } from './scripted-world.ts';

const work = (over: Partial<PodWork> = {}): PodWork => ({
  ...{ ready: 10, limited: 1000, waiting: 1000, perSecond: 5, ...over },
});

function worldWith(works: readonly (PodWork | undefined)[], over: Partial<PoolWorld> = {}): PoolWorld {
  const bare = worldOf(works.length);
  const listen = (world: PoolWorld) =>
    readingsOf(
      world.pods.map((pod, n) =>
        obedientStatement(pod, world.assignment, { unacknowledged: 2, inFlight: 3, work: works[n] }),
      ),
    );
  const world = { ...bare, readings: listen(bare) };
  const assigned = { ...world, assignment: nextAssignment(world, new Map()) };
  return { ...assigned, readings: listen(assigned), ...over };
}

test('what the streams hold and no pod has, and what each pod could send now; not what waits or is limited', () => {
  expect(loadOf(worldWith([work(), work()]), { parcels: 100 })).toEqual({
    ...{ ready: 100 - 2 * 2 + 2 * 10, inFlight: 6, perSecond: 10, silent: [] },
  });
});

test('pods that acknowledge faster than the streams are read give no negative number', () => {
  expect(loadOf(worldWith([work()]), { parcels: 0 }).ready).toBe(10);
});

test.each<[string, PoolWorld, { parcels: number } | null, string[]]>([
  ['the streams', worldWith([work()]), null, ['the streams']],
  ['the assignment', worldWith([work()], { assignment: null }), { parcels: 0 }, ['the assignment']],
  ['a pod of an older release', worldWith([work(), undefined]), { parcels: 0 }, ['demo-delivery-1']],
  ['a pod that is still counting', worldWith([work({ ready: null })]), { parcels: 0 }, ['demo-delivery-0']],
  ['a pod that does not answer', muted(0), { parcels: 0 }, ['demo-delivery-0']],
  [
    'an owner that is gone',
    worldWith([work(), work()], { pods: [podView(0)], readings: said(0) }),
    { parcels: 0 },
    ['demo-delivery-1'],
  ],
  ['a ready pod that was not heard of before', joined(true), { parcels: 0 }, ['demo-delivery-1']],
  ['but not one that only starts', joined(false), { parcels: 0 }, []],
])('silent is %s', (_, world, streams, silent) => {
  expect(loadOf(world, streams).silent).toEqual(silent);
});

function muted(ordinal: number): PoolWorld {
  const world = worldWith([work()]);
  return { ...world, readings: new Map(world.readings).set(`uid-${ordinal}`, unknownReading()) };
}

function said(ordinal: number) {
  const { readings } = worldWith([work(), work()]);
  return new Map([...readings].filter(([uid]) => uid === `uid-${ordinal}`));
}

function joined(ready: boolean): PoolWorld {
  const world = worldWith([work()]);
  return { ...world, pods: [...world.pods, podView(1, { ready })] };
}
