// A scripted pool for walk-throughs: each round the operator decides on what the pods last stated, and the pods then do what the
// assignment says.
import type { PoolWorld, VolumeView } from '../observe/world.ts';
import { nextAssignment } from './assign.ts';
import { type DrainVerdict, decideDrain } from './drain.ts';
import { obedientStatement, podView, readingsOf, unknownReading, worldOf } from './scripted-world.ts';

export class Scripted {
  world: PoolWorld;
  readonly spooled = new Map<string, number>();
  readonly silent = new Set<string>();
  /** Free bytes of every pod. */
  freeBytes = 1_000_000;
  /** Recipients that each pod sends in a round, and all that were sent. */
  deliveredARound = 0;
  delivered = 0;
  #made = 0;
  /** What was seen of each round, for the whole story. */
  readonly story: string[] = [];

  constructor(replicas: number) {
    this.world = worldOf(replicas);
    this.settle();
    this.story.length = 0;
  }

  /** What `spec.drain.mode`, or the annotation for one drain, says from now on. */
  mode(drainMode: PoolWorld['drainMode']): void {
    this.world = { ...this.world, drainMode };
  }

  want(replicas: number): void {
    this.world = { ...this.world, desiredReplicas: replicas };
  }

  /** One reconcile, then the pods act. @returns what was decided. */
  round(): DrainVerdict {
    this.listen();
    const drain = decideDrain(this.world);
    const leaving = drain.kind === 'Leave' ? drain : null;
    const cordons = new Map(
      leaving?.cordon && leaving.uid ? [[leaving.uid, { handOver: leaving.handOver }]] : [],
    );
    const next = nextAssignment(this.world, cordons);
    if (next) {
      const owners = new Set(next.shards.map(({ owner }) => owner?.pod));
      this.world = { ...this.world, assignment: next };
      this.#mark((pod) => owners.has(pod), false);
    } else if (leaving?.remove) this.#lower();
    this.#tell(leaving);
    this.#handOver();
    this.#deliver();
    return drain;
  }

  settle(rounds = 40): void {
    for (let i = 0; i < rounds; i++) this.round();
  }

  /** Recipients in all spools. */
  get queued(): number {
    return [...this.spooled.values()].reduce((sum, n) => sum + n, 0);
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

  /** Replicas are raised to what is wished for; new pods are ready at once, each another incarnation than the one before. */
  raise(): void {
    const { statefulSet: set, desiredReplicas, pods, volumes } = this.world;
    if (!set || set.replicas >= desiredReplicas) return;
    const ordinals = Array.from({ length: desiredReplicas - set.replicas }, (_, n) => set.replicas + n);
    const made = ordinals.map((ordinal) => podView(ordinal, { uid: `uid-${ordinal}-${++this.#made}` }));
    const [claim] = volumes;
    const claims = ordinals
      .filter((ordinal) => claim && !volumes.some((volume) => volume.ordinal === ordinal))
      .map((ordinal) => ({ ...(claim as VolumeView), ordinal, name: `spool-${set.name}-${ordinal}` }));
    this.world = {
      ...this.world,
      pods: [...pods, ...made],
      volumes: [...volumes, ...claims],
      statefulSet: { ...set, replicas: desiredReplicas, partition: desiredReplicas },
    };
  }

  /** Every pod states what it has. */
  listen(): void {
    const { pods, assignment } = this.world;
    const statements = pods.map((pod) => {
      const entries = this.spooled.get(pod.name) ?? 0;
      const spool = { entries, bytes: entries * 1000, freeBytes: this.freeBytes };
      const work = { ready: entries, limited: 0, waiting: 0, perSecond: 0 };
      return obedientStatement(pod, assignment, { spool, work });
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

  #deliver(): void {
    for (const [pod, left] of this.spooled) {
      const sent = Math.min(left, this.deliveredARound);
      this.spooled.set(pod, left - sent);
      this.delivered += sent;
    }
  }

  #lower(): void {
    const set = this.world.statefulSet;
    if (!set) return;
    const replicas = set.replicas - 1;
    this.#mark((pod) => pod === `${set.name}-${replicas}`, true);
    const pods = this.world.pods.filter(({ ordinal }) => ordinal < replicas);
    this.world = { ...this.world, pods, statefulSet: { ...set, replicas, partition: replicas } };
  }

  /** What act/spools.ts writes on the claims. */
  #mark(of: (pod: string) => boolean, provenEmpty: boolean): void {
    const volumes = this.world.volumes.map((volume) =>
      of(volume.name.replace(/^spool-/, '')) ? { ...volume, provenEmpty } : volume,
    );
    this.world = { ...this.world, volumes };
  }

  #tell(leaving: Extract<DrainVerdict, { kind: 'Leave' }> | null): void {
    const line = leaving ? `${leaving.ordinal} ${leaving.step}` : `${this.replicas} stay`;
    if (this.story.at(-1) !== line) this.story.push(line);
  }
}
