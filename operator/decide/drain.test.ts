import type { Assignment } from '../../mta/bus/snapshot.ts';
import type { PodView, PoolWorld, Reading } from '../observe/world.ts';
import { nextAssignment } from './assign.ts';
import { type DrainVerdict, decideDrain, removalRefusal } from './drain.ts';
import { obedientStatement, podView, readingsOf, unknownReading, worldOf } from './scripted-world.ts';

type Leave = Extract<DrainVerdict, { kind: 'Leave' }>;
type StatementChange = Parameters<typeof obedientStatement>[2];

/** A pool of `replicas` of which `desired` are wanted, where the leaving pod is cordoned and its shards have moved. */
function draining(
  replicas: number,
  desired: number,
  leaver: StatementChange = {},
  over: Partial<PoolWorld> = {},
): PoolWorld {
  const base = worldOf(replicas, { desiredReplicas: desired });
  const uid = `uid-${replicas - 1}`;
  const free = base.pods.filter((pod) => pod.uid !== uid);
  const assignment: Assignment = {
    version: 1,
    pool: base.pool,
    revision: 7,
    members: base.pods.map((pod) => ({
      pod: pod.name,
      uid: pod.uid,
      cordoned: pod.uid === uid,
      handOver: false,
    })),
    shards: Array.from({ length: 8 }, (_, shard) => {
      const pod = free[shard % free.length] as PodView;
      const owner = { pod: pod.name, uid: pod.uid, node: 'node-a' };
      return { shard, epoch: 2, owner, releasing: false, former: null };
    }),
  };
  const statements = base.pods.map((pod) =>
    obedientStatement(pod, assignment, pod.uid === uid ? leaver : {}),
  );
  return { ...base, assignment, readings: readingsOf(statements), ...over };
}

const withReading = (world: PoolWorld, uid: string, reading: Reading): PoolWorld => ({
  ...world,
  readings: new Map([...world.readings, [uid, reading]]),
});

function leave(world: PoolWorld): Leave {
  const verdict = decideDrain(world);
  if (verdict.kind !== 'Leave') throw new Error('nobody leaves');
  return verdict;
}

describe('rule 1: one pod at a time, the highest ordinal, never to zero', () => {
  test('nobody leaves while as many are wanted as there are', () => {
    expect(decideDrain(worldOf(3))).toEqual({ kind: 'Stay' });
    expect(decideDrain(worldOf(3, { desiredReplicas: 5 }))).toEqual({ kind: 'Stay' });
  });

  test('from 3 to 1 only the highest ordinal is cordoned', () => {
    expect(leave(worldOf(3, { desiredReplicas: 1 }))).toMatchObject({
      ordinal: 2,
      cordon: true,
      remove: false,
    });
  });

  test('the next does not begin while the previous is still ending', () => {
    const world = worldOf(2, {
      desiredReplicas: 1,
      pods: [podView(0), podView(1), podView(2, { deleting: true })],
    });
    expect(leave(world)).toMatchObject({ ordinal: 1, cordon: false, refusal: { reason: 'PreviousLeaving' } });
  });

  test('the last pod never leaves', () => {
    const verdict = leave(worldOf(1, { desiredReplicas: 0 }));
    expect(verdict).toMatchObject({ cordon: false, remove: false, refusal: { reason: 'NoPeer' } });
  });

  test('no scale-down begins while a rollout runs', () => {
    const base = worldOf(3, { desiredReplicas: 2 });
    const statefulSet = base.statefulSet && { ...base.statefulSet, updateRevision: 'r2', partition: 1 };
    expect(leave({ ...base, statefulSet })).toMatchObject({
      cordon: false,
      refusal: { reason: 'RolloutUnderWay' },
    });
  });

  test('a template that no pod may take yet is no rollout', () => {
    const base = worldOf(3, { desiredReplicas: 2 });
    const statefulSet = base.statefulSet && { ...base.statefulSet, updateRevision: 'r2' };
    expect(leave({ ...base, statefulSet }).cordon).toBe(true);
  });

  test('no scale-down before the StatefulSet controller has taken in the last one', () => {
    const base = draining(3, 2);
    const statefulSet = base.statefulSet && { ...base.statefulSet, generation: 2 };
    expect(leave({ ...base, statefulSet })).toMatchObject({
      remove: false,
      refusal: { reason: 'RolloutUnderWay' },
    });
  });
});

describe('rule 2: cordoned, everything acknowledged, shards given up, only then the hand-over', () => {
  test.each<[string, StatementChange, string]>([
    ['it has not seen the cordon', { cordoned: false, spool: { entries: 5, bytes: 10 } }, 'NotCordoned'],
    ['parcels are unacknowledged', { unacknowledged: 3, spool: { entries: 5, bytes: 10 } }, 'Unacknowledged'],
    [
      'it holds a shard',
      { held: [{ shard: 1, epoch: 2, unacknowledged: 0 }], spool: { entries: 5, bytes: 10 } },
      'HoldsShards',
    ],
  ])('no hand-over while %s', (_, statement, reason) => {
    expect(leave(draining(3, 2, statement))).toMatchObject({ handOver: false, refusal: { reason } });
  });

  test('then it hands over', () => {
    const verdict = leave(draining(3, 2, { spool: { entries: 5, bytes: 10 } }));
    expect(verdict).toMatchObject({ step: 'HandingOver', handOver: true, remove: false, left: 5 });
  });
});

describe('rule 3: room of 1.2 times the bytes, or the hand-over is refused', () => {
  const spool = { entries: 5, bytes: 1_000_000 };
  /** The free bytes of each other, in order; `gaveUp` are shards that were the leaver's before. */
  const peersHave = (free: readonly number[], gaveUp: readonly number[] = []): PoolWorld => {
    const world = draining(free.length + 1, free.length, { spool });
    const leaver = world.pods.at(-1)?.uid ?? '';
    const former = { uid: leaver, stated: true };
    const shards = world.assignment?.shards.map((s) => (gaveUp.includes(s.shard) ? { ...s, former } : s));
    const assignment = world.assignment && { ...world.assignment, shards: shards ?? [] };
    const peers = world.pods
      .slice(0, -1)
      .map((pod, at) => obedientStatement(pod, assignment, { spool: { freeBytes: free[at] ?? 0 } }));
    return { ...world, assignment, readings: new Map([...world.readings, ...readingsOf(peers)]) };
  };
  const peersFree = (freeBytes: number): PoolWorld => peersHave([freeBytes, freeBytes]);
  const begun = (world: PoolWorld): PoolWorld => {
    const members = world.assignment?.members.map((m) => ({ ...m, handOver: m.cordoned })) ?? [];
    return { ...world, assignment: world.assignment && { ...world.assignment, members } };
  };

  test.each([
    [599_999, false],
    [600_000, true],
  ])('two others with %i bytes free each: hand over %s', (free, handOver) => {
    const verdict = leave(peersFree(free));
    expect(verdict.handOver).toBe(handOver);
    expect(verdict.refusal?.reason).toBe(handOver ? 'NotEmpty' : 'NoRoom');
    expect(verdict.cordon).toBe(true);
  });

  test('the space of a pod that does not answer does not count', () => {
    expect(leave(withReading(peersFree(600_000), 'uid-0', unknownReading())).refusal?.reason).toBe('NoRoom');
  });

  test('parcels go to the owners of their shards: what one has too little, the other cannot make up', () => {
    const verdict = leave(peersHave([15_000_000, 599_999]));
    expect(verdict).toMatchObject({ handOver: false, refusal: { reason: 'NoRoom' } });
    expect(verdict.refusal?.message).toContain('demo-delivery-1 has 599999 bytes free');
    expect(leave(peersHave([5_000_000, 600_000])).handOver).toBe(true);
  });

  test.each<[string, readonly number[], readonly number[], boolean]>([
    ['both at the one with room for it', [1_200_000, 600_000], [0, 2], true],
    ['both at the one without', [600_000, 1_199_999], [1, 3], false],
    ['two at the first, one at the other', [799_999, 5_000_000], [0, 1, 2], false],
    ['and now it has room', [800_000, 600_000], [0, 1, 2], true],
  ])('what it holds came by the shards that it gave up: %s', (_, free, gaveUp, handOver) => {
    expect(leave(peersHave(free, gaveUp)).handOver).toBe(handOver);
  });

  test.each<[string, readonly number[], boolean]>([
    ['what is left just fits: it goes on', [500_000, 500_000], true],
    ['it does not fit at one: it is taken back', [5_000_000, 499_999], false],
  ])('under way: %s', (_, free, handOver) => {
    const verdict = leave(begun(peersHave(free)));
    expect(verdict).toMatchObject({ cordon: true, handOver });
    expect(verdict.step).toBe(handOver ? 'HandingOver' : 'Delivering');
    expect(verdict.refusal?.reason).toBe(handOver ? 'NotEmpty' : 'NoRoom');
  });

  test('under way: a receiver that is silent for a moment does not end it; one that is away does', () => {
    const world = begun(peersFree(600_000));
    expect(leave(withReading(world, 'uid-0', unknownReading())).handOver).toBe(true);
    const pods = world.pods.map((pod) => (pod.ordinal === 0 ? { ...pod, ready: false } : pod));
    expect(leave({ ...world, pods }).handOver).toBe(false);
  });

  test('what is damaged cannot be handed over: while other mail goes it is no matter, then it is said', () => {
    const spool = { entries: 5, bytes: 10, unreadable: 2 };
    expect(leave(draining(3, 2, { spool })).refusal?.reason).toBe('NotEmpty');
    const rest = leave(draining(3, 2, { spool: { ...spool, entries: 2 } }));
    expect(rest).toMatchObject({ remove: false, left: 2, refusal: { reason: 'Unreadable' } });
  });

  test('mode Wait never hands over and leaves when the spool has run empty', () => {
    const full = draining(3, 2, { spool: { entries: 5, bytes: 10 } }, { drainMode: 'Wait' });
    expect(leave(full)).toMatchObject({ cordon: true, handOver: false, step: 'Delivering', remove: false });
    expect(leave(draining(3, 2, {}, { drainMode: 'Wait' })).remove).toBe(true);
  });
});

describe('rule 4: empty is a statement of the current incarnation after the cordon; unknown is not empty', () => {
  test('all at zero: it may leave', () => {
    expect(leave(draining(3, 2))).toMatchObject({ step: 'Empty', remove: true, refusal: null, left: 0 });
  });

  test.each<[string, StatementChange]>([
    ['NotEmpty', { spool: { entries: 1 } }],
    ['InFlight', { inFlight: 1 }],
    ['Unacknowledged', { unacknowledged: 1 }],
    ['EventsUnsent', { eventsUnsent: 1 }],
    ['OldRevision', { assignmentRevision: 6 }],
    ['WrongUid', { uid: 'uid-2', pod: 'demo-delivery-9' }],
    ['NumberMissing', { inFlight: undefined as unknown as number }],
    ['NumberMissing', { spool: { entries: Number.NaN } }],
  ])('refused: %s', (reason, statement) => {
    expect(leave(draining(3, 2, statement))).toMatchObject({ remove: false, refusal: { reason } });
  });

  test.each(['Unreachable', 'WrongUid', 'NumberMissing'] as const)('a reading that failed: %s', (reason) => {
    const world = withReading(draining(3, 2), 'uid-2', unknownReading(reason));
    expect(leave(world)).toMatchObject({ remove: false, left: null, refusal: { reason } });
  });

  test('a pod that is gone or going proves nothing', () => {
    const world = draining(3, 2);
    const gone = { ...world, pods: world.pods.slice(0, 2) };
    const going = { ...world, pods: [podView(0), podView(1), podView(2, { deleting: true })] };
    for (const w of [gone, going])
      expect(leave(w)).toMatchObject({ remove: false, refusal: { reason: 'PodMissing' } });
  });
});

describe('rule 5: the same is seen live before replicas are lowered', () => {
  test('the picture still allows it', () => expect(removalRefusal(draining(3, 2), 'uid-2')).toBeNull());

  test.each<[string, (world: PoolWorld) => PoolWorld, string]>([
    ['wanted again', (world) => ({ ...world, desiredReplicas: 3 }), 'WrongUid'],
    [
      'the pod was replaced',
      (world) => ({ ...world, pods: [...world.pods.slice(0, 2), podView(2, { uid: 'uid-2b' })] }),
      'WrongUid',
    ],
    ['it is silent now', (world) => withReading(world, 'uid-2', unknownReading()), 'Unreachable'],
  ])('refused when %s', (_, change, reason) => {
    expect(removalRefusal(change(draining(3, 2)), 'uid-2')?.reason).toBe(reason);
  });
});

describe('rule 6: until replicas are written a drain can be cancelled', () => {
  test('scaled back up: nobody is cordoned any more and the pod gets shards back at a higher epoch', () => {
    const world = draining(3, 3, { spool: { entries: 5 } });
    expect(decideDrain(world)).toEqual({ kind: 'Stay' });
    let assignment = nextAssignment(world, new Map());
    expect(assignment?.members.some((m) => m.cordoned)).toBe(false);
    for (let round = 0; round < 4 && assignment; round++) {
      const statements = world.pods.map((pod) => obedientStatement(pod, assignment));
      assignment =
        nextAssignment({ ...world, assignment, readings: readingsOf(statements) }, new Map()) ?? assignment;
    }
    const back = assignment?.shards.filter(({ owner }) => owner?.uid === 'uid-2') ?? [];
    expect(back.length).toBeGreaterThanOrEqual(2);
    expect(back.every(({ epoch, former }) => epoch === 3 && former?.stated)).toBe(true);
  });
});

describe('rule 9: a pod that never ran is removable without a drain', () => {
  const pending = podView(2, { ready: false, started: false, node: null, ip: null, phase: 'Pending' });
  const unused = worldOf(3).volumes.map((v) => ({ ...v, used: v.ordinal < 2 }));
  const base = worldOf(3, { desiredReplicas: 2, pods: [podView(0), podView(1), pending] });

  test('its volume was never marked as used', () => {
    expect(leave({ ...base, volumes: unused })).toMatchObject({
      step: 'NeverRan',
      remove: true,
      cordon: false,
    });
    expect(removalRefusal({ ...base, volumes: unused }, 'uid-2')).toBeNull();
  });

  test('a pending pod on a volume that was used is not empty', () => {
    expect(leave(base)).toMatchObject({ remove: false, refusal: { reason: 'Unreachable' } });
  });

  test('nor is one whose name is in the assignment', () => {
    const world = draining(3, 2);
    const verdict = leave({ ...world, volumes: unused, pods: base.pods, readings: new Map() });
    expect(verdict.remove).toBe(false);
  });
});

test('a pod that restarted gets its shards back before it is cordoned', () => {
  const world = draining(3, 2);
  const shards = world.assignment?.shards.map((s) => ({
    ...s,
    owner: s.shard === 0 ? { pod: 'demo-delivery-2', uid: 'uid-before', node: 'node-a' } : s.owner,
  }));
  const assignment = world.assignment && { ...world.assignment, shards: shards ?? [] };
  expect(leave({ ...world, assignment })).toMatchObject({
    cordon: false,
    refusal: { reason: 'NotReassigned' },
  });
});
