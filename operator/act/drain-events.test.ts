import type { Assignment } from '../../mta/bus/snapshot.ts';
import { decideDrain } from '../decide/drain.ts';
import { podView, worldOf } from '../decide/scripted-world.ts';
import type { PoolWorld } from '../observe/world.ts';
import type { AnyObject } from '../runtime/objects.ts';
import type { EventNote } from './deps.ts';
import { tellDrain } from './drain-events.ts';

const POOL = { metadata: { name: 'demo' } } as AnyObject;

const assigned = (revision: number, cordoned: readonly string[], uids: readonly string[]): Assignment => ({
  version: 1,
  pool: 'mail/demo',
  revision,
  members: uids.map((uid) => ({
    pod: uid.replace('uid', 'demo-delivery'),
    uid,
    cordoned: cordoned.includes(uid),
    handOver: false,
  })),
  shards: [],
});

function told(world: PoolWorld, next: Assignment): EventNote[] {
  const notes: EventNote[] = [];
  const deps = { tell: (_: AnyObject, note: EventNote) => void notes.push(note) };
  tellDrain(deps, POOL, { world, drain: decideDrain(world), before: null, next });
  return notes.filter(({ reason }) => reason.startsWith('Drain'));
}

const uids = ['uid-0', 'uid-1', 'uid-2'];
const before = assigned(7, ['uid-2'], uids);

test('a pod that has left is not said to stay, though nobody asks for its cordon any more', () => {
  const set = { ...(worldOf(3).statefulSet as NonNullable<PoolWorld['statefulSet']>), replicas: 2 };
  const lowered = worldOf(3, { statefulSet: set, desiredReplicas: 2, assignment: before });
  expect(told(lowered, assigned(8, [], uids))).toEqual([]);
  const gone = worldOf(2, { assignment: before, pods: [podView(0), podView(1)] });
  expect(told(gone, assigned(8, [], ['uid-0', 'uid-1']))).toEqual([]);
});

test('a pod that is wanted again stays, and that is told once', () => {
  const world = worldOf(3, { assignment: before });
  expect(told(world, assigned(8, [], uids))).toMatchObject([
    { reason: 'DrainCancelled', note: 'demo-delivery-2 stays' },
  ]);
});

test('a pod whose drain only has to wait, since its container restarted, is not said to stay', () => {
  const world = worldOf(3, { desiredReplicas: 2, assignment: before });
  expect(told(world, assigned(8, [], uids)).map(({ reason }) => reason)).not.toContain('DrainCancelled');
});
