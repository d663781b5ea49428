// One drain in another mode, and a drain that is cancelled after each of its rounds (design.md, "Draining", rules 3 and 6).
import { Scripted } from './scripted-pool.ts';

const LAST = 'demo-delivery-2';

function leaving(mode: 'Transfer' | 'Wait', queued: number): Scripted {
  const pool = new Scripted(3);
  pool.spooled.set(LAST, queued);
  pool.mode(mode);
  pool.want(2);
  return pool;
}

test('Wait: nothing is handed over, the pod leaves when it has delivered all', () => {
  const pool = leaving('Wait', 50);
  pool.settle();
  expect(pool.replicas).toBe(3);
  expect(pool.round()).toMatchObject({ step: 'Delivering', handOver: false, left: 50 });
  pool.deliveredARound = 10;
  pool.settle();
  expect([pool.replicas, pool.delivered]).toEqual([2, 50]);
  expect(pool.story).not.toContain('2 HandingOver');
});

test('Wait in the middle of a hand-over ends it; Transfer again takes it up again', () => {
  const pool = leaving('Transfer', 500);
  for (let n = 0; n < 10; n++) pool.round();
  expect(pool.story.at(-1)).toBe('2 HandingOver');
  pool.mode('Wait');
  pool.round();
  const kept = pool.spooled.get(LAST);
  pool.settle();
  expect(pool.spooled.get(LAST)).toBe(kept);
  expect(pool.world.assignment?.members[2]).toMatchObject({ cordoned: true, handOver: false });
  pool.mode('Transfer');
  pool.settle(100);
  expect([pool.replicas, pool.queued]).toEqual([2, 500]);
});

describe.each(['Transfer', 'Wait'] as const)('cancelled in mode %s', (mode) => {
  const rounds = (() => {
    const pool = leaving(mode, 30);
    pool.deliveredARound = 3;
    let count = 0;
    while (pool.replicas === 3) {
      pool.round();
      count++;
    }
    return count;
  })();

  test.each(Array.from({ length: rounds }, (_, n) => n))(
    'after round %i: the pod stays and works shards, nothing is lost',
    (n) => {
      const pool = leaving(mode, 30);
      pool.deliveredARound = 3;
      for (let round = 0; round < n; round++) pool.round();
      pool.deliveredARound = 0;
      expect(pool.replicas).toBe(3);
      pool.want(3);
      pool.settle();
      expect(pool.replicas).toBe(3);
      expect(pool.world.pods.map(({ uid }) => uid)).toEqual(['uid-0', 'uid-1', 'uid-2']);
      expect(pool.loads().toSorted()).toEqual([2, 3, 3]);
      expect(pool.world.assignment?.members.every((m) => !m.cordoned && !m.handOver)).toBe(true);
      expect(pool.queued + pool.delivered).toBe(30);
    },
  );

  test('after the last write it is completed, and nothing is given back to it', () => {
    const pool = leaving(mode, 30);
    pool.deliveredARound = 3;
    for (let round = 0; round < rounds; round++) pool.round();
    expect(pool.replicas).toBe(2);
    pool.want(3);
    pool.settle();
    expect(pool.replicas).toBe(2);
    expect(pool.loads()).toEqual([4, 4]);
  });
});
