// Several reconciles in a row against a scripted pool: each round the operator decides on what the pods last stated, and
// the pods then do what the assignment says.
import type { PoolWorld } from '../observe/world.ts';
import { nextAssignment } from './assign.ts';
import { type DrainVerdict, decideDrain } from './drain.ts';
import { obedientStatement, podView, readingsOf, unknownReading, worldOf } from './scripted-world.ts';

class Scripted {
  world: PoolWorld;
  readonly spooled = new Map<string, number>();
  readonly silent = new Set<string>();
  /** Free bytes of every pod. */
  freeBytes = 1_000_000;
  /** What was seen of each round, for the whole story. */
  readonly story: string[] = [];

  constructor(replicas: number) {
    this.world = worldOf(replicas);
    this.settle();
    this.story.length = 0;
  }

  want(replicas: number): void {
    this.world = { ...this.world, desiredReplicas: replicas };
  }

  /** One reconcile, then the pods act. @returns what was decided. */
  round(): DrainVerdict {
    this.#listen();
    const drain = decideDrain(this.world);
    const leaving = drain.kind === 'Leave' ? drain : null;
    const cordons = new Map(
      leaving?.cordon && leaving.uid ? [[leaving.uid, { handOver: leaving.handOver }]] : [],
    );
    const next = nextAssignment(this.world, cordons);
    if (next) this.world = { ...this.world, assignment: next };
    else if (leaving?.remove) this.#lower();
    this.#tell(leaving);
    this.#handOver();
    return drain;
  }

  settle(rounds = 40): void {
    for (let i = 0; i < rounds; i++) this.round();
  }

  get replicas(): number {
    return this.world.statefulSet?.replicas ?? 0;
  }

  /** Owners by pod: how many shards each works. */
  loads(): number[] {
    const shards = this.world.assignment?.shards ?? [];
    return this.world.pods.map(
      ({ uid }) => shards.filter((s) => s.owner?.uid === uid && !s.releasing).length,
    );
  }

  #listen(): void {
    const { pods, assignment } = this.world;
    const statements = pods.map((pod) => {
      const entries = this.spooled.get(pod.name) ?? 0;
      const spool = { entries, bytes: entries * 1000, freeBytes: this.freeBytes };
      return obedientStatement(pod, assignment, { spool });
    });
    const readings = readingsOf(statements);
    for (const pod of pods) if (this.silent.has(pod.name)) readings.set(pod.uid, unknownReading());
    this.world = { ...this.world, readings };
  }

  #handOver(): void {
    for (const member of this.world.assignment?.members ?? [])
      if (member.handOver) {
        const left = this.spooled.get(member.pod) ?? 0;
        const gone = Math.min(left, 10);
        this.spooled.set(member.pod, left - gone);
        this.spooled.set('demo-delivery-0', (this.spooled.get('demo-delivery-0') ?? 0) + gone);
      }
  }

  #lower(): void {
    const set = this.world.statefulSet;
    if (!set) return;
    const replicas = set.replicas - 1;
    const pods = this.world.pods.filter(({ ordinal }) => ordinal < replicas);
    this.world = { ...this.world, pods, statefulSet: { ...set, replicas, partition: replicas } };
  }

  #tell(leaving: Extract<DrainVerdict, { kind: 'Leave' }> | null): void {
    const line = leaving ? `${leaving.ordinal} ${leaving.step}` : `${this.replicas} stay`;
    if (this.story.at(-1) !== line) this.story.push(line);
  }
}

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
