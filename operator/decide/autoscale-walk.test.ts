// Autoscaling, drains and shards together, many reconciles in a row against a scripted pool: load comes, pods come; load goes, pods
// are drained; load comes back in the middle of a drain, and it is cancelled.
import fc from 'fast-check';
import { autoscalingSpec } from '../../resources/autoscaling.ts';
import { decideScaling, type Scaling } from './autoscale.ts';
import { loadOf } from './load.ts';
import { Scripted } from './scripted-pool.ts';

const spec = autoscalingSpec.parse({
  ...{ min: 1, max: 4, target: { readyPerPod: 100 } },
  stabilizationSeconds: { up: 0, down: 60 },
});

class Autoscaled {
  readonly pool = new Scripted(1);
  readonly decisions: string[] = [];
  arrived = 0;
  #last: Scaling | null = null;

  constructor() {
    this.pool.freeBytes = 1e9;
  }

  get decided(): number {
    return this.#last?.replicas ?? 1;
  }

  /** Five seconds: so much mail comes in, a reconcile is made, pods send. */
  tick(arriving: number): void {
    const { pool } = this;
    const takes = (uid: string) =>
      pool.world.assignment?.shards.some((s) => s.owner?.uid === uid && !s.releasing);
    const open = pool.world.pods.filter(({ uid }) => takes(uid));
    open.forEach(({ name }, n) => {
      const part = Math.floor(arriving / open.length) + (n < arriving % open.length ? 1 : 0);
      pool.spooled.set(name, (pool.spooled.get(name) ?? 0) + part);
      this.arrived += part;
    });
    pool.world = { ...pool.world, now: pool.world.now + 5000 };
    pool.listen();
    this.#decide();
    pool.round();
  }

  #decide(): void {
    const { world } = this.pool;
    const load = loadOf(world, { parcels: 0 });
    const { decided } = this;
    this.#last = decideScaling({ spec, load, decided, history: this.#last?.history ?? [], world });
    if (this.decided !== decided) this.decisions.push(`${decided} to ${this.decided}`);
    this.pool.want(this.decided);
    this.pool.raise();
  }

  run(ticks: number, arriving: number): void {
    for (let n = 0; n < ticks; n++) this.tick(arriving);
  }
}

test('a burst brings three pods, calm takes two of them away one after the other, each drained', () => {
  const world = new Autoscaled();
  world.pool.deliveredARound = 5;
  world.run(20, 1);
  expect(world.decisions).toEqual([]);
  world.run(1, 280);
  expect(world.decisions).toEqual(['1 to 3']);
  world.run(100, 0);
  expect(world.decisions).toEqual(['1 to 3', '3 to 2', '2 to 1']);
  expect(world.pool.replicas).toBe(1);
  const drained = ['2 Cordoning', '2 Releasing', '2 Empty', '1 Cordoning', '1 Releasing', '1 Empty'];
  expect(world.pool.story.filter((line) => /^\d (Cord|Rel|Empty)/.test(line))).toEqual(drained);
  expect([world.pool.queued, world.pool.delivered]).toEqual([0, world.arrived]);
});

test('load that comes back while a pod is draining cancels the drain: nobody leaves, nothing is lost', () => {
  const world = new Autoscaled();
  world.pool.deliveredARound = 4;
  world.run(1, 390);
  expect(world.decided).toBe(4);
  world.pool.deliveredARound = 400;
  while (world.pool.story.at(-1) !== '3 Releasing') world.run(1, 0);
  world.pool.deliveredARound = 0;
  const uids = world.pool.world.pods.map(({ uid }) => uid);
  world.pool.spooled.set('demo-delivery-0', 390);
  world.arrived += 390;
  world.run(30, 0);
  expect(world.decisions).toEqual(['1 to 4', '4 to 3', '3 to 4']);
  expect(world.pool.world.pods.map(({ uid }) => uid)).toEqual(uids);
  expect(world.pool.loads()).toEqual([2, 2, 2, 2]);
  expect(world.pool.queued + world.pool.delivered).toBe(world.arrived);
});

test('whatever the load: bounds are held, nothing is lost, and after an hour of calm only the least is left', () => {
  let ups = 0;
  const burst = fc.record({
    ticks: fc.integer({ min: 1, max: 30 }),
    arriving: fc.integer({ min: 0, max: 150 }),
  });
  fc.assert(
    fc.property(
      fc.array(burst, { minLength: 1, maxLength: 8 }),
      fc.integer({ min: 10, max: 40 }),
      (bursts, pace) => {
        const world = new Autoscaled();
        world.pool.deliveredARound = pace;
        for (const { ticks, arriving } of bursts) {
          world.run(ticks, arriving);
          expect(world.decided).toBeGreaterThanOrEqual(1);
          expect(world.pool.replicas).toBeLessThanOrEqual(4);
          expect(world.pool.queued + world.pool.delivered).toBe(world.arrived);
        }
        world.run(720, 0);
        expect([world.pool.replicas, world.decided, world.pool.queued]).toEqual([1, 1, 0]);
        expect(world.pool.delivered).toBe(world.arrived);
        ups += world.decisions.filter((one) => one.startsWith('1 to')).length;
      },
    ),
    { numRuns: 40 },
  );
  expect(ups).toBeGreaterThan(10);
}, 60_000);
