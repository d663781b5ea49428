// A walk through several reconciles for each of the ten rules of draining (design: "Draining: the heart"), with the scripted
// pool. The last test holds that each rule has its table, its walk and its scenario.
import { globSync, readFileSync } from 'node:fs';
import type { PoolWorld } from '../observe/world.ts';
import { decideDeletion } from './deletion.ts';
import { decideDrain, removalRefusal } from './drain.ts';
import { nextPartition } from './rollout.ts';
import { Scripted } from './scripted-pool.ts';
import { NOW, podView, unknownReading } from './scripted-world.ts';
import { strandedSpools } from './stranded.ts';
import { drainedVolumes } from './volumes.ts';

const ONE = 'demo-delivery-1';
const TWO = 'demo-delivery-2';

function change(pool: Scripted, over: Partial<PoolWorld>): void {
  pool.world = { ...pool.world, ...over };
}

/** Rounds until the leaving pod is at this step. */
function until(pool: Scripted, step: string): void {
  for (let i = 0; i < 40; i++) {
    const verdict = pool.round();
    if (verdict.kind === 'Leave' && verdict.step === step) return;
  }
  throw new Error(`it never came to ${step}`);
}

test('rule 1: from 3 to 1 replicas go down by one each time, the highest first, and never to zero', () => {
  const pool = new Scripted(3);
  pool.want(0);
  const seen = [pool.replicas];
  for (let i = 0; i < 80; i++) {
    pool.round();
    if (pool.replicas !== seen.at(-1)) seen.push(pool.replicas);
  }
  expect(seen).toEqual([3, 2, 1]);
  expect(pool.round()).toMatchObject({ ordinal: 0, cordon: false, refusal: { reason: 'NoPeer' } });
  const streams = { parcels: 0, bounces: 0, closed: true };
  expect(decideDeletion(pool.world, true, streams).step).toBe('Cordon');
});

test('rule 2: cordoned, then without shards, and only then handing over', () => {
  const pool = new Scripted(2);
  pool.spooled.set(ONE, 20);
  pool.want(1);
  expect(pool.round()).toMatchObject({ step: 'Cordoning', cordon: true, handOver: false });
  expect(pool.round()).toMatchObject({ step: 'Releasing', handOver: false });
  expect(pool.spooled.get(ONE)).toBe(20);
  until(pool, 'HandingOver');
  expect(pool.loads()[1]).toBe(0);
  expect(pool.story).toEqual(['1 Cordoning', '1 Releasing', '1 HandingOver']);
});

test('rule 3: without 1.2 times the room nothing is handed over; with it all of it goes', () => {
  const pool = new Scripted(2);
  pool.spooled.set(ONE, 50);
  pool.freeBytes = 59_999;
  pool.want(1);
  pool.settle();
  expect(pool.round()).toMatchObject({ handOver: false, refusal: { reason: 'NoRoom' } });
  pool.freeBytes = 60_000;
  pool.settle();
  expect([pool.replicas, pool.queued]).toEqual([1, 50]);
});

test('rule 3: when room gets short in the middle it delivers the rest itself, and hands over again when there is room', () => {
  const pool = new Scripted(2);
  pool.spooled.set(ONE, 500);
  pool.want(1);
  until(pool, 'HandingOver');
  pool.freeBytes = 0;
  pool.deliveredARound = 1;
  for (let i = 0; i < 4; i++) pool.round();
  const kept = pool.spooled.get(ONE) ?? 0;
  for (let i = 0; i < 10; i++) pool.round();
  expect(pool.round()).toMatchObject({ step: 'Delivering', handOver: false, refusal: { reason: 'NoRoom' } });
  expect(pool.spooled.get(ONE)).toBe(kept - 11);
  expect(pool.loads()).toEqual([8, 0]);
  pool.freeBytes = 1_000_000;
  pool.deliveredARound = 0;
  pool.settle(60);
  expect(pool.story.filter((line) => line === '1 HandingOver')).toHaveLength(2);
  expect([pool.replicas, pool.queued + pool.delivered]).toEqual([1, 500]);
});

test('rule 4: silent while it empties: it does not leave before it has said so itself', () => {
  const pool = new Scripted(2);
  pool.spooled.set(ONE, 5);
  pool.want(1);
  until(pool, 'HandingOver');
  pool.silent.add(ONE);
  pool.settle();
  expect(pool.spooled.get(ONE)).toBe(0);
  expect(pool.replicas).toBe(2);
  pool.silent.clear();
  pool.settle();
  expect(pool.replicas).toBe(1);
});

test('rule 5: what was decided does not hold for a pod that was replaced before it was written', () => {
  const pool = new Scripted(2);
  pool.want(1);
  until(pool, 'Releasing');
  const seen = decideDrain(pool.world);
  const replaced = { ...pool.world, pods: [podView(0), podView(1, { uid: 'uid-1b' })] };
  const uid = seen.kind === 'Leave' ? seen.uid : null;
  expect(removalRefusal(replaced, uid)?.reason).toBe('WrongUid');
  pool.settle();
  expect(pool.replicas).toBe(1);
});

test('rule 6: cancelled at every round before the last write, the pod stays and gets shards back', () => {
  for (let at = 0; at < 6; at++) {
    const pool = new Scripted(2);
    pool.spooled.set(ONE, 30);
    pool.want(1);
    for (let i = 0; i < at; i++) pool.round();
    expect(pool.replicas).toBe(2);
    pool.want(2);
    pool.settle();
    expect([pool.replicas, ...pool.loads(), pool.queued]).toEqual([2, 4, 4, 30]);
  }
});

test('rule 7: a volume is let go after its proof and after its pod; a pod on an old volume finds its spool', () => {
  const pool = new Scripted(2);
  pool.want(1);
  until(pool, 'Releasing');
  expect(drainedVolumes(pool.world)).toEqual([]);
  pool.settle();
  expect(drainedVolumes(pool.world).map(({ ordinal }) => ordinal)).toEqual([1]);
  // Back on the volume that was kept: whatever is on it counts at once.
  pool.spooled.set(ONE, 3);
  const set = pool.world.statefulSet;
  change(pool, {
    desiredReplicas: 2,
    statefulSet: set && { ...set, replicas: 2 },
    pods: [podView(0), podView(1, { uid: 'uid-1b', createdAt: NOW })],
  });
  pool.settle();
  expect(drainedVolumes(pool.world)).toEqual([]);
  pool.want(1);
  pool.settle(1);
  expect(pool.round()).toMatchObject({ remove: false, left: 3 });
});

test('rule 8: a rolling change takes one pod after the other, keeps every spool and every replica', () => {
  const pool = new Scripted(3);
  for (const pod of pool.world.pods) pool.spooled.set(pod.name, 9);
  const order: number[] = [];
  for (let i = 0; i < 12; i++) {
    const set = pool.world.statefulSet;
    if (!set) throw new Error('no StatefulSet');
    const rolling = { ...set, updateRevision: 'r2' };
    change(pool, {
      statefulSet: { ...rolling, partition: nextPartition({ ...pool.world, statefulSet: rolling }) },
    });
    const partition = pool.world.statefulSet?.partition ?? 3;
    const next = pool.world.pods.find((pod) => pod.ordinal >= partition && pod.revision !== 'r2');
    const away = pool.world.pods.find((pod) => !pod.ready);
    if (away) {
      const back = podView(away.ordinal, { uid: away.uid, revision: 'r2', createdAt: NOW });
      change(pool, { pods: pool.world.pods.map((pod) => (pod === away ? back : pod)) });
    } else if (next) {
      order.push(next.ordinal);
      const again = podView(next.ordinal, {
        uid: `${next.uid}b`,
        revision: 'r2',
        ready: false,
        createdAt: NOW,
      });
      change(pool, { pods: pool.world.pods.map((pod) => (pod === next ? again : pod)) });
    }
    expect(pool.world.pods.filter((pod) => !pod.ready).length).toBeLessThan(2);
    expect(decideDrain(pool.world)).toEqual({ kind: 'Stay' });
    pool.round();
  }
  pool.settle();
  expect(order).toEqual([2, 1, 0]);
  expect([pool.replicas, pool.queued, ...pool.loads().toSorted()]).toEqual([3, 27, 2, 3, 3]);
});

test('rule 9: a pod that never ran goes at once, and one that cannot leave holds up neither mail nor others', () => {
  const pool = new Scripted(2);
  const set = pool.world.statefulSet;
  const pending = podView(2, { node: null, ip: null, ready: false, started: false, phase: 'Pending' });
  change(pool, {
    statefulSet: set && { ...set, replicas: 3 },
    pods: [...pool.world.pods, pending],
    desiredReplicas: 2,
  });
  pool.silent.add(TWO);
  expect(pool.round()).toMatchObject({ step: 'NeverRan', remove: true, cordon: false });
  expect(pool.replicas).toBe(2);
  pool.spooled.set(ONE, 12);
  pool.freeBytes = 0;
  pool.deliveredARound = 1;
  pool.want(1);
  for (let i = 0; i < 6; i++) pool.round();
  expect(pool.round()).toMatchObject({ refusal: { reason: 'NoRoom' } });
  expect(pool.delivered).toBeGreaterThan(3);
  expect(pool.loads()).toEqual([8, 0]);
});

test('rule 10: a node that is lost strands its mail, with its number; nothing leaves or moves; it returns with the node', () => {
  const pool = new Scripted(2);
  pool.spooled.set(ONE, 40);
  pool.settle(2);
  const members = [{ pod: ONE, state: 'Active' as const, queued: 40, oldestAgeSeconds: 0, shards: [] }];
  const node = { name: 'node-a', ready: true, outOfService: false, silentSince: null };
  const lost = { ...node, name: 'node-b', ready: false, silentSince: NOW };
  change(pool, { pods: [podView(0), podView(1, { node: 'node-b', ready: false })], nodes: [node, lost] });
  pool.silent.add(ONE);
  pool.want(1);
  pool.settle();
  const stranded = strandedSpools(
    { ...pool.world, readings: new Map([...pool.world.readings, ['uid-1', unknownReading()]]) },
    { members },
  );
  expect(stranded).toMatchObject([{ pod: ONE, queued: 40, why: 'NodeSilent' }]);
  expect(pool.replicas).toBe(2);
  expect(pool.world.assignment?.shards.filter(({ owner }) => owner?.uid === 'uid-1').length).toBeGreaterThan(
    0,
  );
  change(pool, { nodes: [node, { ...lost, ready: true, silentSince: null }] });
  change(pool, { pods: [podView(0), podView(1, { node: 'node-b' })] });
  pool.silent.clear();
  pool.settle();
  expect(strandedSpools(pool.world, { members, stranded })).toEqual([]);
  expect([pool.replicas, pool.queued]).toEqual([1, 40]);
});

describe('each of the ten rules has', () => {
  /** The rules that tests of these files are named after: "rule 7: …", "rules 1 to 5: …", "rules 2 and 3: …". */
  const named = (...patterns: string[]): Set<number> => {
    const text = patterns
      .flatMap((pattern) => globSync(pattern))
      .map((file) => readFileSync(file, 'utf8'))
      .join('\n');
    const found = text.matchAll(/(?:test|describe)\(\s*['"]rules? (\d+)(?: (to|and) (\d+))?:/g);
    return new Set(
      [...found].flatMap(([, first, word, last]) =>
        word === 'to'
          ? Array.from({ length: Number(last) - Number(first) + 1 }, (_, i) => Number(first) + i)
          : [first, last].filter(Boolean).map(Number),
      ),
    );
  };
  const tables = globSync('operator/decide/*.test.ts').filter(
    (file) => !/drain-rules|walk-through/.test(file),
  );
  const kinds: Record<string, Set<number>> = {
    'a table': named(...tables),
    'a walk through reconciles': named('operator/decide/drain-rules.test.ts'),
    'a scenario on a cluster': named('e2e/scenarios/*.test.ts'),
  };
  test.each(Object.keys(kinds))('%s', (kind) => {
    expect([...(kinds[kind] ?? [])].sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });
});
