import fc from 'fast-check';
import type { PodResults } from '../../mta/bus/snapshot.ts';
import { rolloutSpec } from '../../resources/rollout.ts';
import type { PodView, PoolWorld } from '../observe/world.ts';
import { decideCanary, type Templates, type Trial } from './canary.ts';
import { nextPartition } from './rollout.ts';
import { NOW, obedientStatement, podView, readingsOf, worldOf } from './scripted-world.ts';

const canary = rolloutSpec.parse({ canary: { minAttempts: 100 } }).canary ?? null;
const MINUTE = 60_000;
const templates = (over: Partial<Templates> = {}): Templates => ({
  trial: 't1',
  canary,
  isApplied: true,
  isNew: true,
  ...over,
});

interface Scene {
  /** Ordinals with the new template. */
  readonly updated?: readonly number[];
  readonly unready?: readonly number[];
  /** How often the container of each has restarted. */
  readonly restarts?: Readonly<Record<number, number>>;
  readonly counts?: Readonly<Record<number, PodResults>>;
  readonly after?: number;
}
const results = (delivered: number, deferred = 0, bounced = 0): PodResults => ({
  delivered,
  deferred,
  bounced,
});

function scene(
  { updated = [2], unready = [], restarts = {}, counts = {}, after = 0 }: Scene,
  replicas = 3,
): PoolWorld {
  const base = worldOf(replicas, { now: NOW + after });
  const pods = base.pods.map(({ ordinal }) =>
    podView(ordinal, {
      ready: !unready.includes(ordinal),
      restarts: restarts[ordinal] ?? 0,
      revision: updated.includes(ordinal) ? 'r2' : 'r1',
    }),
  );
  const statements = pods.map((pod) =>
    obedientStatement(pod, null, { process: 'p', results: counts[pod.ordinal] ?? results(0) }),
  );
  const statefulSet = base.statefulSet && { ...base.statefulSet, updateRevision: 'r2' };
  return { ...base, pods, statefulSet, readings: readingsOf(statements) };
}

/** A trial whose watch began at NOW, when nobody had counted anything. */
const watched = (): Trial => {
  const { trial } = decideCanary(scene({}), templates(), null);
  if (trial?.since !== NOW) throw new Error('the watch has not begun');
  return trial;
};

describe('nothing is tried', () => {
  test.each<[string, Partial<Templates>]>([
    ['without a canary', { canary: null }],
    ['while the template is the last good one', { isNew: false }],
  ])('%s', (_, over) => {
    expect(decideCanary(scene({}), templates(over), watched())).toEqual({
      apply: 'Wanted',
      lowest: 0,
      trial: null,
    });
  });
});

describe('the first pods', () => {
  test.each([
    [3, 2],
    [1, 0],
  ])('of %i pods those from ordinal %i on', (replicas, lowest) => {
    const verdict = decideCanary(scene({ updated: [] }, replicas), templates({ isApplied: false }), null);
    expect(verdict).toMatchObject({ apply: 'Wanted', lowest, trial: { state: 'Canary', since: null } });
  });

  test('are watched once all of them have the template and are ready', () => {
    for (const waiting of [{ updated: [] }, { unready: [2] }])
      expect(decideCanary(scene(waiting), templates(), null).trial?.since).toBeNull();
    expect(watched().since).toBe(NOW);
  });

  test('that do not get ready in time are taken back', () => {
    const world = (after: number) => scene({ unready: [2], after });
    const first = decideCanary(world(0), templates(), null).trial;
    expect(decideCanary(world(10 * MINUTE - 1), templates(), first).trial?.state).toBe('Canary');
    const late = decideCanary(world(10 * MINUTE), templates(), first);
    expect(late).toMatchObject({ apply: 'Good', trial: { state: 'RolledBack' } });
    expect(late.trial?.message).toContain('demo-delivery-2 was not ready for 10m');
    const recovered = decideCanary(scene({ after: MINUTE }), templates(), first).trial;
    expect(recovered).toMatchObject({ state: 'Canary', unreadySince: null });
  });
});

describe('a pod that crashes again and again and gets ready in between', () => {
  test('is taken back at the third restart, whatever it has sent', () => {
    let trial = decideCanary(scene({}), templates(), null).trial;
    for (const restarts of [1, 2])
      for (const unready of [[2], []]) {
        const counts = { 2: results(200) };
        trial = decideCanary(
          scene({ unready, restarts: { 2: restarts }, counts, after: 1 }),
          templates(),
          trial,
        ).trial;
        expect(trial?.state).toBe('Canary');
      }
    const third = decideCanary(scene({ restarts: { 2: 3 }, after: MINUTE }), templates(), trial);
    expect(third).toMatchObject({ apply: 'Good', trial: { state: 'RolledBack' } });
    expect(third.trial?.message).toBe('demo-delivery-2 has restarted 3 times with the new template');
  });

  test.each<[string, Scene, Trial | null, Trial['state']]>([
    ['before the watch has begun as well', { restarts: { 2: 3 }, unready: [2] }, null, 'RolledBack'],
    [
      'restarts of a pod of the old template say nothing of the new one',
      { restarts: { 0: 9 } },
      null,
      'Canary',
    ],
    ['nor those before the template has reached it', { restarts: { 2: 9 }, updated: [] }, null, 'Canary'],
  ])('%s', (_, what, before, state) => {
    expect(decideCanary(scene(what), templates(), before).trial?.state).toBe(state);
  });
});

describe('what they count', () => {
  const old = { 0: results(450, 50), 1: results(450, 50) };
  test.each<[string, Record<number, PodResults>, number, Trial['state']]>([
    ['well, but not for long enough', { ...old, 2: results(100) }, 10 * MINUTE - 1, 'Canary'],
    ['well, for long enough', { ...old, 2: results(100) }, 10 * MINUTE, 'Passed'],
    ['too little to be judged', { ...old, 2: results(98, 1) }, 60 * MINUTE, 'Canary'],
    ['as many deferrals more as are allowed', { ...old, 2: results(80, 20) }, 10 * MINUTE, 'Passed'],
    ['more deferrals: at once', { ...old, 2: results(79, 21) }, 1, 'RolledBack'],
    ['as many bounces as are allowed', { ...old, 2: results(98, 0, 2) }, 10 * MINUTE, 'Passed'],
    ['more bounces', { ...old, 2: results(97, 0, 3) }, 1, 'RolledBack'],
    [
      'the old ones do as badly',
      { 0: results(10, 190), 1: results(0), 2: results(5, 95) },
      10 * MINUTE,
      'Passed',
    ],
    ['the old ones are no measure', { 0: results(0, 99), 2: results(89, 11) }, 1, 'RolledBack'],
  ])('%s', (_, counts, after, state) => {
    const verdict = decideCanary(scene({ counts, after }), templates(), watched());
    expect(verdict.trial?.state).toBe(state);
    expect(verdict).toMatchObject(
      state === 'RolledBack'
        ? { apply: 'Good', lowest: 0 }
        : { apply: 'Wanted', lowest: state === 'Canary' ? 2 : 0 },
    );
  });

  test('counts from the beginning of the watch, and of a restarted process from its own', () => {
    const before = { 0: results(1000), 1: results(1000), 2: results(0, 5000) };
    const { trial } = decideCanary(scene({ counts: before }), templates(), null);
    const now = { 0: results(1100), 1: results(1100), 2: results(120, 5000) };
    const passed = decideCanary(scene({ counts: now, after: 10 * MINUTE }), templates(), trial);
    expect(passed.trial?.state).toBe('Passed');
    const world = scene({ counts: { ...now, 2: results(50, 60) }, after: MINUTE });
    const again = obedientStatement(podView(2), null, { process: 'p2', results: results(50, 60) });
    const readings = new Map([...world.readings, ...readingsOf([again])]);
    expect(decideCanary({ ...world, readings }, templates(), trial).trial?.state).toBe('RolledBack');
  });

  test('of a release that does not count is no measure', () => {
    const world = scene({ after: 60 * MINUTE });
    const silent = world.pods.map((pod) => obedientStatement(pod, null));
    expect(
      decideCanary({ ...world, readings: readingsOf(silent) }, templates(), watched()).trial?.state,
    ).toBe('Canary');
  });
});

test('a verdict stands until the spec changes; then all begins anew', () => {
  const bad = { ...watched(), state: 'RolledBack' as const };
  expect(decideCanary(scene({ updated: [] }), templates({ isApplied: false }), bad).apply).toBe('Good');
  expect(decideCanary(scene({}), templates({ trial: 't2' }), bad)).toMatchObject({
    apply: 'Wanted',
    lowest: 2,
    trial: { state: 'Canary' },
  });
});

test('property: while it is tried no other pod takes the template, and never two pods are away', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 6 }),
      fc.integer({ min: 1, max: 6 }),
      fc.array(fc.nat(3), { maxLength: 40 }),
      (replicas, pods, steps) => {
        const some = canary && { ...canary, pods };
        let trial: Trial | null = null;
        let world = scene({ updated: [] }, replicas);
        for (const step of steps) {
          world = { ...world, now: world.now + MINUTE / 4 };
          const verdict = decideCanary(world, templates({ canary: some }), trial);
          trial = verdict.trial;
          const partition = Math.max(nextPartition(world), verdict.lowest);
          const set = world.statefulSet && { ...world.statefulSet, partition };
          const due = world.pods.find((pod) => pod.ordinal >= partition && pod.revision === 'r1');
          const change = (pod: PodView): PodView => {
            if (step > 0 && pod === due) return { ...pod, revision: 'r2', ready: false };
            return step > 1 && !pod.ready ? { ...pod, ready: true } : pod;
          };
          world = { ...world, statefulSet: set, pods: world.pods.map(change) };
          const updated = world.pods.filter(({ revision }) => revision === 'r2');
          if (trial?.state === 'Canary') expect(updated.length).toBeLessThanOrEqual(Math.min(pods, replicas));
          expect(world.pods.filter(({ ready }) => !ready).length).toBeLessThanOrEqual(1);
        }
      },
    ),
  );
});
