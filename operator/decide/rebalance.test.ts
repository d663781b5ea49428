import fc from 'fast-check';
import type { AssignedMember, Assignment, ShardAssignment } from '../../mta/bus/snapshot.ts';
import type { PoolWorld } from '../observe/world.ts';
import { nextAssignment } from './assign.ts';
import { whoShares } from './rebalance.ts';
import { obedientStatement, podView, readingsOf, unknownReading, worldOf } from './scripted-world.ts';

type Ready = number | null;

/** A pool whose shards are given out, with so much ready mail in each pod. */
function worldWith(ready: readonly Ready[], over: Partial<PoolWorld> = {}): PoolWorld {
  const world = listen({ ...worldOf(ready.length), ...over }, ready);
  return listen({ ...world, assignment: nextAssignment(world, new Map()) }, ready);
}

function listen(world: PoolWorld, ready: readonly Ready[], freeBytes = 1e9): PoolWorld {
  const statements = world.pods.map((pod, n) =>
    obedientStatement(pod, world.assignment, {
      spool: { bytes: (ready[n] ?? 0) * 1000, freeBytes },
      work: { ready: ready[n] ?? null, limited: 0, waiting: 0, perSecond: 0 },
    }),
  );
  return { ...world, readings: readingsOf(statements) };
}

const assigned = (world: PoolWorld, change: (assignment: Assignment) => Partial<Assignment>): PoolWorld => {
  const assignment = world.assignment as Assignment;
  return { ...world, assignment: { ...assignment, ...change(assignment) } };
};
const busy = worldWith([20_000, 0, 100]);
const begun = (ready: readonly Ready[]): PoolWorld =>
  listen(
    assigned(busy, ({ members }) => ({
      members: members.map((m) => (m.uid === 'uid-0' ? { ...m, share: true } : m)),
    })),
    ready,
  );
const set = busy.statefulSet;

test.each<[string, PoolWorld, string | null]>([
  ['a long backlog beside an idle pod', busy, 'uid-0'],
  ['the fullest alone', worldWith([20_000, 30_000, 0]), 'uid-1'],
  ['too little to be worth it', worldWith([4999, 0]), null],
  ['the others are busy too', worldWith([20_000, 5001]), null],
  ['nobody else is there', worldWith([20_000]), null],
  ['begun: goes on although it is below where it begins', begun([2000, 900, 900]), 'uid-0'],
  ['begun: ends when the others have half as much', begun([20_000, 10_001, 10_001]), null],
  ['begun: ends when little is left', begun([999, 0, 0]), null],
  ['a pod that is still counting', worldWith([20_000, null]), null],
  [
    'a pod that is silent',
    { ...busy, readings: new Map(busy.readings).set('uid-1', unknownReading()) },
    null,
  ],
  ['the others have no room', listen(busy, [20_000, 0, 0], 1e7), null],
  ['no assignment yet', { ...busy, assignment: null }, null],
  [
    'a pod is leaving',
    assigned(busy, ({ members: [a, ...rest] }) => ({
      members: [{ ...(a as object as AssignedMember), cordoned: true }, ...rest],
    })),
    null,
  ],
  ['a member is gone', { ...busy, pods: [podView(0), podView(1)] }, null],
  [
    'a shard is on its way',
    assigned(busy, ({ shards: [a, ...rest] }) => ({
      shards: [{ ...(a as object as ShardAssignment), releasing: true }, ...rest],
    })),
    null,
  ],
  [
    'a shard settles',
    assigned(busy, ({ shards: [a, ...rest] }) => ({
      shards: [{ ...(a as object as ShardAssignment), settling: {} }, ...rest],
    })),
    null,
  ],
  ['a rollout runs', { ...busy, statefulSet: set && { ...set, updateRevision: 'r2', partition: 1 } }, null],
])('%s: %#', (_, world, uid) => {
  expect(whoShares(world)).toBe(uid);
});

test('the assignment says who shares, and a pod that is to leave does not', () => {
  const sharing = (world: PoolWorld, cordons = new Map()) =>
    nextAssignment(world, cordons, 'uid-0')
      ?.members.filter((m) => m.share)
      .map(({ uid }) => uid);
  expect(sharing(busy)).toEqual(['uid-0']);
  expect(sharing(busy, new Map([['uid-0', { handOver: true }]]))).toEqual([]);
  expect(nextAssignment(begun([20_000, 0, 0]), new Map(), null)?.members.some((m) => m.share)).toBe(false);
});

test('whatever the pods have and send, a parcel is handed over once at most, and sharing begins seldom', () => {
  let moves = 0;
  const pods = fc.integer({ min: 2, max: 4 });
  const backlog = fc.integer({ min: 0, max: 40_000 });
  fc.assert(
    fc.property(
      pods,
      fc.array(backlog, { minLength: 4, maxLength: 4 }),
      fc.integer({ min: 50, max: 2000 }),
      (count, backlogs, pace) => {
        let world = worldWith(backlogs.slice(0, count));
        const homes = world.pods.map(
          ({ uid }) => (world.assignment?.shards ?? []).filter((s) => s.owner?.uid === uid).length,
        );
        // Of each pod: what is at home there, and what belongs to each other pod.
        const held = world.pods.map((_, at) =>
          homes.map((shards) => Math.floor(((backlogs[at] ?? 0) * shards) / 8)),
        );
        const total = () => held.map((row) => row.reduce((sum, n) => sum + n, 0));
        let begins = 0;
        for (let round = 0; round < 400 && total().some((n) => n > 0); round++) {
          world = listen(world, total());
          const uid = whoShares(world);
          const next = nextAssignment(world, new Map(), uid);
          if (uid && !world.assignment?.members.some((m) => m.share && m.uid === uid)) begins++;
          if (next) world = { ...world, assignment: next };
          const giver = world.pods.findIndex((pod) => pod.uid === uid);
          const row = held[giver];
          for (let to = 0; row && to < count; to++) {
            if (to === giver) continue;
            const moved = Math.min(row[to] ?? 0, pace);
            row[to] = (row[to] ?? 0) - moved;
            // Where it is now it is at home: nothing but sending takes it away again.
            (held[to] as number[])[to] = (held[to]?.[to] ?? 0) + moved;
            moves += moved;
          }
          for (const one of held)
            for (let n = 0, left = 100; n < count && left > 0; n++) {
              const sent = Math.min(one[n] ?? 0, left);
              one[n] = (one[n] ?? 0) - sent;
              left -= sent;
            }
        }
        expect(begins).toBeLessThanOrEqual(2 * count);
      },
    ),
    { numRuns: 60 },
  );
  expect(moves).toBeGreaterThan(10_000);
});
