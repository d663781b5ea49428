import fc from 'fast-check';
import type { Assignment, Statement } from '../../mta/bus/snapshot.ts';
import type { NodeView, PodView, PoolWorld } from '../observe/world.ts';
import { type Cordons, nextAssignment, RESTART_PATIENCE_MS } from './assign.ts';
import { NOW, obedientStatement, podView, readingsOf, worldOf } from './scripted-world.ts';

const NOBODY: Cordons = new Map();
const cordon = (...uids: string[]): Cordons => new Map(uids.map((uid) => [uid, { handOver: false }]));
const ownersOf = (a: Assignment | null) => a?.shards.map(({ owner }) => owner?.uid ?? null);

function loads(assignment: Assignment | null, pods: readonly PodView[]): number[] {
  return pods.map(({ uid }) => ownersOf(assignment)?.filter((owner) => owner === uid).length ?? 0);
}

/** Lets obedient pods act until the assignment stands. */
function settle(world: PoolWorld, cordons: Cordons = NOBODY): PoolWorld {
  let now = world;
  for (let round = 0; round < 50; round++) {
    const statements = now.pods.map((pod) => obedientStatement(pod, now.assignment));
    const assignment = nextAssignment({ ...now, readings: readingsOf(statements) }, cordons);
    if (!assignment) return { ...now, readings: readingsOf(statements) };
    now = { ...now, assignment };
  }
  throw new Error('the assignment does not come to rest');
}

/** Volumes on which nothing was ever stored. */
const unused = (volumes = worldOf(3).volumes) => volumes.map((volume) => ({ ...volume, used: false }));

test('a first assignment gives every shard an owner, evenly, above every epoch and revision of a pool before it', () => {
  const next = nextAssignment(worldOf(3, { volumes: unused() }), NOBODY);
  expect(next?.revision).toBe(NOW / 1000 + 1);
  expect(next?.shards.every(({ epoch }) => epoch === NOW / 1000 + 1)).toBe(true);
  expect(loads(next, worldOf(3).pods).toSorted()).toEqual([2, 3, 3]);
});

test('what stands is not written again', () => {
  const world = settle(worldOf(3));
  expect(nextAssignment(world, NOBODY)).toBeNull();
});

test('no pods, no owners; a pod that is not ready does not join', () => {
  const pods = [podView(0, { ready: false })];
  const world = worldOf(1, { pods, volumes: unused() });
  expect(nextAssignment(world, NOBODY)).toMatchObject({ members: [] });
});

test('a new pod gets its share only after the owners have stated that they hold none of it', () => {
  const two = settle(worldOf(2));
  const three = { ...worldOf(3), assignment: two.assignment };
  const asked = nextAssignment(three, NOBODY);
  expect(ownersOf(asked)).toEqual(ownersOf(two.assignment));
  expect(asked?.shards.filter((s) => s.releasing)).toHaveLength(2);
  // With 0 the owner has not given it up either: it still fences who was there before, and its next owner would not.
  for (const unacknowledged of [1, 0]) {
    const holding = three.pods.map((pod) =>
      obedientStatement(pod, asked, {
        held: asked?.shards
          .filter((s) => s.owner?.uid === pod.uid)
          .map((s) => ({ shard: s.shard, epoch: s.epoch, unacknowledged })),
      }),
    );
    expect(nextAssignment({ ...three, assignment: asked, readings: readingsOf(holding) }, NOBODY)).toBeNull();
  }
  expect(loads(settle(three).assignment, three.pods).toSorted()).toEqual([2, 3, 3]);
});

test.each<[string, Partial<Statement>]>([
  ['was made under an older revision', { assignmentRevision: 1 }],
  ['is of another incarnation', { uid: 'uid-old' }],
])('a release does not count when the statement %s', (_, change) => {
  const settled = settle(worldOf(2));
  const assignment = nextAssignment(settled, cordon('uid-1'));
  const readings = new Map(
    settled.pods.map((pod) => [
      pod.uid,
      { kind: 'statement' as const, statement: { ...obedientStatement(pod, assignment), ...change } },
    ]),
  );
  const next = nextAssignment({ ...settled, assignment, readings }, cordon('uid-1'));
  expect(ownersOf(next ?? assignment)).toEqual(ownersOf(settled.assignment));
});

describe('a pod whose UID is gone', () => {
  const settled = settle(worldOf(2));
  const replaced = podView(1, { uid: 'uid-1b', createdAt: NOW });
  const nodes = (over: Partial<NodeView>): NodeView[] => [
    { name: 'node-a', ready: true, outOfService: false, silentSince: null, ...over },
  ];

  test('its shards go to the pod of the same name, and the former must be fenced', () => {
    const next = nextAssignment({ ...settled, pods: [podView(0), replaced] }, NOBODY);
    const moved = next?.shards.filter(({ owner }) => owner?.uid === 'uid-1b') ?? [];
    expect(moved).toHaveLength(4);
    const epoch = (settled.assignment?.shards[0]?.epoch ?? 0) + 1;
    expect(moved.every((s) => s.epoch === epoch && s.former?.uid === 'uid-1' && !s.former.stated)).toBe(true);
  });

  test('and when its successor is lost within the life of a connection, both', () => {
    const first = nextAssignment({ ...settled, pods: [podView(0), replaced] }, NOBODY);
    const assignment = first ?? settled.assignment;
    const later = {
      ...settled,
      assignment,
      now: NOW + 60_000,
      pods: [podView(0), podView(1, { uid: 'uid-1c' })],
    };
    const moved = nextAssignment(later, NOBODY)?.shards.filter(({ owner }) => owner?.uid === 'uid-1c') ?? [];
    expect(moved).toHaveLength(4);
    for (const { former, lostBefore } of moved) {
      expect(former).toEqual({ uid: 'uid-1b', stated: false, at: NOW + 60_000 });
      expect(lostBefore).toEqual([{ uid: 'uid-1', at: NOW }]);
    }
  });

  test('they wait for it while it starts, and go elsewhere when it does not come', () => {
    const starting = podView(1, { uid: 'uid-1b', ready: false, createdAt: NOW });
    const world = { ...settled, pods: [podView(0), starting] };
    expect(ownersOf(nextAssignment(world, NOBODY) ?? world.assignment)).toEqual(ownersOf(world.assignment));
    const late = nextAssignment({ ...world, now: NOW + RESTART_PATIENCE_MS }, NOBODY);
    expect(loads(late, [podView(0)])).toEqual([8]);
  });

  test.each<[string, readonly NodeView[] | null, boolean]>([
    ['ready: its kubelet confirmed the end', nodes({}), true],
    ['silent', nodes({ ready: false }), false],
    ['silent but out of service', nodes({ ready: false, outOfService: true }), true],
    ['removed from the cluster', [], true],
    ['not readable', null, false],
  ])('node %s: shards move %#', (_, seen, moves) => {
    const world = { ...settled, pods: [podView(0), replaced], nodes: seen };
    const next = nextAssignment(world, NOBODY);
    expect(loads(next ?? world.assignment, [replaced])).toEqual([moves ? 4 : 0]);
  });
});

test('shards grow and never shrink', () => {
  const settled = settle(worldOf(2));
  expect(settle({ ...settled, shards: 10 }).assignment?.shards).toHaveLength(10);
  expect(settle({ ...settled, shards: 4 }).assignment?.shards).toHaveLength(8);
});

test('an assignment that NATS has lost never goes back in revision or epoch', () => {
  const settled = settle(worldOf(3));
  const held = settled.assignment as Assignment;
  const next = nextAssignment({ ...settled, assignment: null }, NOBODY);
  expect(ownersOf(next)).toEqual(ownersOf(held));
  expect(next?.revision).toBeGreaterThan(held.revision);
  expect(next?.shards.map((s) => s.epoch)).toEqual(held.shards.map((s) => s.epoch));
});

test('an assignment that NATS has lost is not made anew while a pod that may hold shards is silent', () => {
  const settled = settle(worldOf(3));
  const [, ...heard] = settled.readings;
  const silent = { ...settled, assignment: null, readings: new Map(heard) };
  expect(nextAssignment(silent, NOBODY)).toBeNull();
  const neverGiven = silent.volumes.map((v) => ({ ...v, used: v.ordinal > 0 }));
  expect(nextAssignment({ ...silent, volumes: neverGiven }, NOBODY)).not.toBeNull();
});

test('a pod that remembers a later revision than there is, from a pool before, gets one above it', () => {
  const settled = settle(worldOf(2));
  const later = (settled.assignment?.revision ?? 0) + 40;
  const statement = obedientStatement(podView(1), settled.assignment, { assignmentRevision: later });
  const readings = readingsOf([obedientStatement(podView(0), settled.assignment), statement]);
  expect(nextAssignment({ ...settled, readings }, NOBODY)?.revision).toBe(later + 1);
});

describe('a pod past which replicas were lowered, and which is still there', () => {
  const settled = settle(worldOf(3));
  const drained = settle(settled, cordon('uid-2'));
  const set = { ...(drained.statefulSet as NonNullable<PoolWorld['statefulSet']>), replicas: 2 };
  const lowered = { ...drained, desiredReplicas: 2, statefulSet: set };

  test('stays cordoned and gets no shards, though nobody asks for its cordon any more', () => {
    expect(nextAssignment(lowered, NOBODY)).toBeNull();
  });

  test('is taken back when it is wanted again before it went', () => {
    const again = settle({ ...lowered, statefulSet: { ...set, replicas: 3 } });
    expect(loads(again.assignment, again.pods).toSorted()).toEqual([2, 3, 3]);
  });
});

test('a pod whose volume is being deleted gets no shards', () => {
  const volumes = worldOf(2).volumes.map((v) => ({ ...v, used: false, deleting: v.ordinal === 1 }));
  expect(loads(nextAssignment(worldOf(2, { volumes }), NOBODY), worldOf(2).pods)).toEqual([8, 0]);
});

/** One thing that may happen to a pool. */
const event = fc.oneof(
  fc.record({ kind: fc.constant('restart' as const), pod: fc.nat(4) }),
  fc.record({ kind: fc.constant('ready' as const), pod: fc.nat(4), ready: fc.boolean() }),
  fc.record({ kind: fc.constant('cordon' as const), pod: fc.nat(4), on: fc.boolean() }),
  fc.record({ kind: fc.constant('node' as const), ready: fc.boolean() }),
  fc.record({ kind: fc.constant('scale' as const), pod: fc.nat(4) }),
  fc.record({ kind: fc.constant('state' as const), pod: fc.nat(4) }),
  fc.record({ kind: fc.constant('wait' as const) }),
);

/** Plays events against obedient and silent pods, and judges every single step. */
class Play {
  readonly #pods = new Map<number, PodView>([[0, podView(0)]]);
  readonly #cordoned = new Set<number>();
  /** The last statement of each UID: silent pods leave an old one. */
  readonly #statements = new Map<string, Statement>();
  #assignment: Assignment | null = null;
  #nodeReady = true;
  #now = NOW;
  #births = 0;

  world(): PoolWorld {
    const pods = [...this.#pods.values()];
    const nodes = [{ name: 'node-a', ready: this.#nodeReady, outOfService: false, silentSince: null }];
    const readings = readingsOf([...this.#statements.values()]);
    const volumes = unused(worldOf(5).volumes);
    const base = worldOf(5, { pods, nodes, readings, now: this.#now, volumes });
    return { ...base, assignment: this.#assignment };
  }

  apply(what: typeof event extends fc.Arbitrary<infer E> ? E : never): void {
    if (what.kind === 'wait') this.#now += RESTART_PATIENCE_MS;
    else if (what.kind === 'node') this.#nodeReady = what.ready;
    else if (what.kind === 'cordon') this.#cordoned[what.on ? 'add' : 'delete'](what.pod);
    else this.#applyToPod(what);
  }

  #applyToPod(what: { kind: string; pod: number; ready?: boolean }): void {
    const pod = this.#pods.get(what.pod);
    const fresh = () => podView(what.pod, { uid: `uid-${what.pod}-${++this.#births}`, createdAt: this.#now });
    if (what.kind === 'scale') pod ? this.#pods.delete(what.pod) : this.#pods.set(what.pod, fresh());
    else if (!pod) return;
    else if (what.kind === 'restart') this.#pods.set(what.pod, fresh());
    else if (what.kind === 'ready') this.#pods.set(what.pod, { ...pod, ready: what.ready ?? true });
    else this.#statements.set(pod.uid, obedientStatement(pod, this.#assignment));
  }

  step(): void {
    const cordons = new Map(
      [...this.#cordoned].flatMap((i) => {
        const pod = this.#pods.get(i);
        return pod ? [[pod.uid, { handOver: false }] as const] : [];
      }),
    );
    const world = this.world();
    const next = nextAssignment(world, cordons);
    if (!next) return;
    if (this.#assignment) judge(this.#assignment, next, world);
    const uncordoned = world.pods.filter((p) => p.ready && !cordons.has(p.uid));
    if (uncordoned.length) expect(next.shards.filter(({ owner }) => owner === null)).toEqual([]);
    this.#assignment = next;
  }
}

/** No owner changes without a statement of the owner or a fence; epochs grow by one with the owner and only then. */
function judge(before: Assignment, next: Assignment, world: PoolWorld): void {
  expect(next.revision).toBe(before.revision + 1);
  expect(new Set(next.shards.map((s) => s.shard)).size).toBe(next.shards.length);
  for (const old of before.shards) {
    const now = next.shards.find((s) => s.shard === old.shard);
    const same = now?.owner?.uid === old.owner?.uid;
    expect(now?.epoch).toBe(same ? old.epoch : old.epoch + 1);
    if (same || !old.owner) continue;
    const reading = world.readings.get(old.owner.uid);
    const stated =
      old.releasing &&
      reading?.kind === 'statement' &&
      reading.statement.assignmentRevision === before.revision &&
      !reading.statement.held.some((h) => h.shard === old.shard);
    const gone = !world.pods.some((p) => p.uid === old.owner?.uid) && world.nodes?.[0]?.ready === true;
    expect(stated || gone).toBe(true);
    expect(now?.former).toMatchObject({ uid: old.owner.uid, stated });
  }
}

test('property: whatever happens, a shard has one owner, epochs only grow, and nothing moves on silence', () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      const play = new Play();
      play.step();
      for (const what of events) {
        play.apply(what);
        play.step();
      }
    }),
    { numRuns: 300 },
  );
});

test('property: with obedient pods it comes to rest, all shards owned, balanced within one', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 64 }),
      fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 1, maxLength: 5 }),
      (shards, sizes) => {
        let world = worldOf(1, { shards });
        for (const size of sizes) {
          const leaving = world.pods.slice(size).map(({ uid }) => uid);
          world = settle(world, cordon(...leaving));
          world = settle({ ...worldOf(size, { shards }), assignment: world.assignment });
          const load = loads(world.assignment, world.pods);
          expect(load.reduce((a, b) => a + b, 0)).toBe(shards);
          expect(Math.max(...load) - Math.min(...load)).toBeLessThanOrEqual(1);
        }
      },
    ),
  );
});

test('property: evening out moves no more shards than the new pod needs', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 64 }), fc.integer({ min: 1, max: 7 }), (shards, pods) => {
      const before = settle(worldOf(pods, { shards }));
      const after = settle({ ...worldOf(pods + 1, { shards }), assignment: before.assignment });
      const moved = ownersOf(after.assignment)?.filter((uid, i) => uid !== ownersOf(before.assignment)?.[i]);
      expect(moved?.length).toBeLessThanOrEqual(Math.ceil(shards / (pods + 1)));
    }),
  );
});
