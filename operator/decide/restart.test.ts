import type { Statement } from '../../mta/bus/snapshot.ts';
import type { ConsumerView, PoolWorld } from '../observe/world.ts';
import { nextAssignment } from './assign.ts';
import { type DrainVerdict, decideDrain } from './drain.ts';
import { shardsToLookAt } from './restart.ts';
import { obedientStatement, podView, readingsOf, worldOf } from './scripted-world.ts';

type Consumer = Pick<ConsumerView, 'delivered' | 'ackFloor'> & { readonly last?: number };

/** Pods that obey and run the processes given by UID; the consumers of every shard that is asked for stand as given. */
function heard(
  world: PoolWorld,
  processes: Readonly<Record<string, string>>,
  { last = 200, ...consumer }: Consumer = { delivered: 0, ackFloor: 0 },
): PoolWorld {
  const state = (pod: PoolWorld['pods'][number]): Statement => ({
    ...obedientStatement(pod, world.assignment),
    process: processes[pod.uid] ?? 'first',
  });
  const readings = readingsOf(world.pods.map(state));
  const asked = shardsToLookAt({ ...world, readings }, world.assignment);
  const consumers = new Map(asked.map((shard) => [shard, [{ name: 'bulk', last, ...consumer }]]));
  return { ...world, readings, consumers };
}

/** One reconcile. */
function reconcile(world: PoolWorld): { world: PoolWorld; drain: DrainVerdict } {
  const drain = decideDrain(world);
  const leaves = drain.kind === 'Leave' && drain.cordon && drain.uid !== null;
  const cordons = new Map(leaves ? [[drain.uid ?? '', { handOver: drain.handOver }]] : []);
  return { drain, world: { ...world, assignment: nextAssignment(world, cordons) ?? world.assignment } };
}

function calm(replicas: number): PoolWorld {
  let world = worldOf(replicas);
  for (let round = 0; round < 20; round++) world = reconcile(heard(world, {})).world;
  return world;
}

const ownedBy = (world: PoolWorld, uid: string) =>
  world.assignment?.shards.filter(({ owner }) => owner?.uid === uid) ?? [];

test('a container that restarts in the middle of a release keeps its shards until what it had in hand has come again', () => {
  const releasing = reconcile(heard({ ...calm(2), desiredReplicas: 1 }, {})).world;
  expect(ownedBy(releasing, 'uid-1').every(({ releasing }) => releasing)).toBe(true);

  // The new process has nothing in hand, says so truly under the newest revision, and 40 parcels wait for acknowledgement.
  const again = reconcile(heard(releasing, { 'uid-1': 'second' }, { delivered: 100, ackFloor: 60 }));
  expect(again.drain).toMatchObject({ cordon: false, remove: false, refusal: { reason: 'NotReassigned' } });
  const pulls = again.world;
  expect(ownedBy(pulls, 'uid-1')).toHaveLength(4);
  expect(ownedBy(pulls, 'uid-1')[0]).toMatchObject({ releasing: false, settling: { bulk: 100 } });
  expect(pulls.assignment?.members[1]).toMatchObject({ cordoned: false, process: 'second' });

  const waits = reconcile(heard(pulls, { 'uid-1': 'second' }, { delivered: 130, ackFloor: 99 })).world;
  expect(ownedBy(waits, 'uid-1')[0]).toMatchObject({ releasing: false, settling: { bulk: 100 } });
  expect(waits.assignment?.revision).toBe(pulls.assignment?.revision);

  let world = waits;
  for (let round = 0; round < 8; round++)
    world = reconcile(heard(world, { 'uid-1': 'second' }, { delivered: 130, ackFloor: 100 })).world;
  expect(ownedBy(world, 'uid-1')).toEqual([]);
  expect(
    world.assignment?.shards.every(({ settling, former }) => !settling && former?.stated !== false),
  ).toBe(true);
});

test('and no longer than until its streams are made anew, of which nothing comes again', () => {
  const releasing = reconcile(heard({ ...calm(2), desiredReplicas: 1 }, {})).world;
  let world = reconcile(heard(releasing, { 'uid-1': 'second' }, { delivered: 100, ackFloor: 60 })).world;
  const still = reconcile(
    heard(world, { 'uid-1': 'second' }, { delivered: 3, ackFloor: 3, last: 100 }),
  ).world;
  expect(ownedBy(still, 'uid-1')[0]).toMatchObject({ settling: { bulk: 100 } });
  for (let round = 0; round < 8; round++)
    world = reconcile(heard(world, { 'uid-1': 'second' }, { delivered: 3, ackFloor: 3, last: 99 })).world;
  expect(ownedBy(world, 'uid-1')).toEqual([]);
});

test('a container that restarts while others wait for shards gives none of them away unsettled', () => {
  const two = calm(2);
  const wanted = { ...worldOf(3), assignment: two.assignment };
  const asked = reconcile(heard(wanted, {})).world;
  const restarted = reconcile(heard(asked, { 'uid-0': 'second' }, { delivered: 7, ackFloor: 6 })).world;
  expect(ownedBy(restarted, 'uid-0')).toHaveLength(ownedBy(asked, 'uid-0').length);
  expect(ownedBy(restarted, 'uid-0').some(({ releasing }) => releasing)).toBe(false);
});

test('a pod that has given up all its shards goes on leaving when its container restarts', () => {
  let world = { ...calm(2), desiredReplicas: 1 } as PoolWorld;
  for (let round = 0; round < 3; round++) world = reconcile(heard(world, {})).world;
  expect(ownedBy(world, 'uid-1')).toEqual([]);
  const again = reconcile(heard(world, { 'uid-1': 'second' }));
  expect(again.drain).toMatchObject({ cordon: true });
});

test('a silent pod is not taken for one that runs another process', () => {
  const world = calm(2);
  expect(shardsToLookAt({ ...world, readings: new Map() }, world.assignment)).toEqual([]);
});

test('a pod made anew on the volume of one that is gone keeps its shards until what that one had in hand has come again', () => {
  const lost = calm(2);
  const replaced = podView(1, { uid: 'uid-1b', createdAt: lost.now });
  const gone = { ...lost, pods: [podView(0), replaced], desiredReplicas: 1 };
  const taken = reconcile(heard(gone, {}, { delivered: 100, ackFloor: 60 })).world;
  expect(ownedBy(taken, 'uid-1b')).toHaveLength(4);
  const [first] = ownedBy(taken, 'uid-1b');
  expect(first).toMatchObject({ settling: { bulk: 100 }, former: { uid: 'uid-1', stated: false } });

  // It has nothing in hand and says so; the scale-down waits all the same.
  const waits = reconcile(heard(taken, {}, { delivered: 130, ackFloor: 99 })).world;
  expect(ownedBy(waits, 'uid-1b').every(({ settling, releasing }) => settling && !releasing)).toBe(true);

  let world = waits;
  for (let round = 0; round < 8; round++)
    world = reconcile(heard(world, {}, { delivered: 130, ackFloor: 100 })).world;
  expect(ownedBy(world, 'uid-1b')).toEqual([]);
});
