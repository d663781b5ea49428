// Several reconciles in a row against a scripted pool.
import { Scripted } from './scripted-pool.ts';
import { podView } from './scripted-world.ts';

test('3 to 1: one after the other, each cordoned, releasing, handing over, empty; nothing is lost', () => {
  const pool = new Scripted(3);
  pool.spooled.set('demo-delivery-2', 25).set('demo-delivery-1', 5);
  pool.want(1);
  pool.settle();
  expect(pool.replicas).toBe(1);
  expect(pool.story).toEqual([
    '2 Cordoning',
    '2 Releasing',
    '2 HandingOver',
    '2 Empty',
    '1 Cordoning',
    '1 Releasing',
    '1 HandingOver',
    '1 Empty',
    '1 stay',
  ]);
  expect(pool.spooled.get('demo-delivery-0')).toBe(30);
  expect(pool.loads()).toEqual([8]);
});

test('cancelled midway: the pod stays, gets shards back, and what it still holds it keeps', () => {
  const pool = new Scripted(3);
  pool.spooled.set('demo-delivery-2', 500);
  pool.want(2);
  for (let i = 0; i < 10; i++) pool.round();
  expect(pool.story.at(-1)).toBe('2 HandingOver');
  expect(pool.loads()[2]).toBe(0);
  pool.want(3);
  pool.settle();
  expect(pool.replicas).toBe(3);
  expect(pool.loads().toSorted()).toEqual([2, 3, 3]);
  expect(pool.world.assignment?.members.every((m) => !m.cordoned && !m.handOver)).toBe(true);
  const kept = pool.spooled.get('demo-delivery-2') ?? 0;
  expect(kept).toBeGreaterThan(0);
  expect(kept + (pool.spooled.get('demo-delivery-0') ?? 0)).toBe(500);
});

test('NoRoom: the pod stays cordoned with all it has until there is room', () => {
  const pool = new Scripted(2);
  pool.spooled.set('demo-delivery-1', 50);
  pool.freeBytes = 59_999;
  pool.want(1);
  pool.settle();
  expect(pool.round()).toMatchObject({ step: 'Delivering', handOver: false, refusal: { reason: 'NoRoom' } });
  expect(pool.spooled.get('demo-delivery-1')).toBe(50);
  pool.freeBytes = 60_000;
  pool.settle();
  expect(pool.replicas).toBe(1);
});

test('a pod that falls silent in the middle is never taken for empty', () => {
  const pool = new Scripted(2);
  pool.want(1);
  pool.round();
  pool.silent.add('demo-delivery-1');
  pool.settle();
  expect(pool.replicas).toBe(2);
  expect(pool.round()).toMatchObject({ remove: false, left: null, refusal: { reason: 'Unreachable' } });
  pool.silent.clear();
  pool.settle();
  expect(pool.replicas).toBe(1);
});

test('a pod that restarts in the middle gets its shards back first and leaves afterwards', () => {
  const pool = new Scripted(2);
  pool.want(1);
  pool.round();
  const again = podView(1, { uid: 'uid-1b' });
  pool.world = { ...pool.world, pods: [podView(0), again] };
  expect(pool.round()).toMatchObject({ cordon: false, refusal: { reason: 'NotReassigned' } });
  expect(pool.world.assignment?.shards.filter((s) => s.owner?.uid === 'uid-1b')).toHaveLength(4);
  pool.settle();
  expect(pool.replicas).toBe(1);
});
