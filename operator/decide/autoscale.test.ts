import { autoscalingSpec } from '../../resources/autoscaling.ts';
import type { Recommendation } from '../../resources/kinds.ts';
import { decideScaling, replicasInForce, type Scaling } from './autoscale.ts';
import type { Load } from './load.ts';
import { NOW, podView, worldOf } from './scripted-world.ts';

const spec = autoscalingSpec.parse({
  min: 2,
  max: 5,
  target: { readyPerPod: 100, inFlightPerPod: 10, perSecondPerPod: 50 },
});
const loadOf = (over: Partial<Load> = {}): Load => ({
  ...{ ready: 0, inFlight: 0, perSecond: 0, silent: [] },
  ...over,
});
/** Ten minutes in which nothing asked for more than two pods. */
const calm: Recommendation[] = Array.from({ length: 21 }, (_, n) => ({
  at: NOW / 1000 - 600 + 30 * n,
  low: 2,
  high: 2,
}));

const decide = (over: Partial<Parameters<typeof decideScaling>[0]>): Scaling =>
  decideScaling({ spec, load: loadOf(), decided: 3, history: calm, world: worldOf(3), ...over });

test.each<[string, Parameters<typeof decide>[0], number, string]>([
  ['the load that is there fits', { load: loadOf({ ready: 300 }) }, 3, 'AtTarget'],
  ['a backlog asks for as many as it needs, at once', { load: loadOf({ ready: 401 }) }, 5, 'ScaledUp'],
  ['attempts under way do', { load: loadOf({ inFlight: 31 }) }, 4, 'ScaledUp'],
  ['so does what is sent a second', { load: loadOf({ perSecond: 151 }) }, 4, 'ScaledUp'],
  ['never more than max', { load: loadOf({ ready: 9e9 }) }, 5, 'ScaledUp'],
  [
    'at max more is asked for',
    { load: loadOf({ ready: 9e9 }), decided: 5, world: worldOf(5) },
    5,
    'AtMaximum',
  ],
  ['one pod goes when the window was calm', { decided: 4, world: worldOf(4) }, 3, 'ScalingDown'],
  ['never fewer than min', { decided: 2, world: worldOf(2) }, 2, 'AtTarget'],
  ['not while the others would be nearly full', { load: loadOf({ ready: 181 }) }, 3, 'AtTarget'],
  ['not before the window is over', { history: calm.slice(-5) }, 3, 'Stabilizing'],
  ['not when something in it asked for more', { history: busyAt(-299) }, 3, 'Stabilizing'],
  ['what was before the window does not count', { history: busyAt(-400) }, 2, 'ScalingDown'],
  ['not when nobody has looked for a while', { history: calm.slice(0, -5) }, 3, 'Stabilizing'],
  ['not while a pod is silent', { load: loadOf({ silent: ['demo-delivery-1'] }) }, 3, 'LoadUnknown'],
  ['up though a pod is silent', { load: loadOf({ ready: 400, silent: ['x'] }) }, 4, 'ScaledUp'],
  ['not while one is leaving', { world: worldOf(4) }, 3, 'Draining'],
  [
    'nor while one that left is ending',
    { world: worldOf(3, { pods: [0, 1, 2, 3].map((n) => podView(n)) }) },
    3,
    'Draining',
  ],
  ['nor before there is a StatefulSet', { world: worldOf(3, { statefulSet: null }) }, 3, 'Draining'],
  ['nor during a rollout', { world: rolling() }, 3, 'RolloutUnderWay'],
  ['what was decided outside new bounds is brought inside', { decided: 9, world: worldOf(9) }, 5, 'Draining'],
])('%s', (_, over, replicas, reason) => {
  expect(decide(over)).toMatchObject({ replicas, reason });
});

function busyAt(seconds: number): Recommendation[] {
  return calm.map((one) =>
    one.at - NOW / 1000 <= seconds && one.at - NOW / 1000 > seconds - 30 ? { ...one, high: 3 } : one,
  );
}

function rolling() {
  const world = worldOf(3);
  const { statefulSet: set } = world;
  return { ...world, statefulSet: set && { ...set, updateRevision: 'r2', partition: 2 } };
}

test('the message says by which figure', () => {
  expect(decide({ load: loadOf({ ready: 401, inFlight: 31, perSecond: 7 }) }).message).toBe(
    'from 3 to 5 pods: 401 ready at 100 a pod',
  );
});

test('an up-window has more pods wait until all of it has asked for them', () => {
  const patient = autoscalingSpec.parse({ ...spec, stabilizationSeconds: { up: 60, down: 300 } });
  const load = loadOf({ ready: 400 });
  const first = decide({ spec: patient, load });
  expect(first).toMatchObject({ replicas: 3, reason: 'Stabilizing' });
  const at = NOW / 1000;
  const asked = [-90, -60, -30].map((ago) => ({ at: at + ago, low: 4, high: 4 }));
  expect(decide({ spec: patient, load, history: asked })).toMatchObject({ replicas: 4, reason: 'ScaledUp' });
});

test('in force is what was decided, else what runs, else what the spec says; without autoscaling the spec alone', () => {
  const status = { autoscaling: { replicas: 4 } };
  const pool = { replicas: 1, autoscaling: spec };
  expect(replicasInForce({ spec: pool, status }, 3)).toBe(4);
  expect(replicasInForce({ spec: pool }, 3)).toBe(3);
  expect(replicasInForce({ spec: pool }, 9)).toBe(5);
  expect(replicasInForce({ spec: pool }, null)).toBe(2);
  expect(replicasInForce({ spec: { replicas: 1 }, status }, 3)).toBe(1);
});
