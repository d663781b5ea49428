import { register } from 'prom-client';
import type { Scaling } from '../decide/autoscale.ts';
import { worldOf } from '../decide/scripted-world.ts';
import { samplePool } from '../desired/samples.ts';
import type { AnyObject } from '../runtime/objects.ts';
import type { EventNote } from './deps.ts';
import { decidePoolScaling, inForce, tellScaling } from './scaling.ts';
import { forgetScaling, measureScaling } from './scaling-metrics.ts';

const scaling = (over: Partial<Scaling> = {}): Scaling => ({
  ...{ replicas: 3, reason: 'ScaledUp', message: 'from 1 to 3 pods: 25 ready at 10 a pod', history: [] },
  load: { ready: 25, inFlight: 2, perSecond: 7.5, silent: ['x'] },
  ...over,
});
const autoscaling = { min: 1, max: 4, target: { readyPerPod: 10 } };
const pool = samplePool({ autoscaling });

const metric = async (name: string) =>
  ((await register.getSingleMetric(name)?.get())?.values ?? []).map(({ labels, value }) => [
    ...Object.values(labels),
    value,
  ]);

test('what was decided last is in force, before what the cached status says', () => {
  const status = { autoscaling: { replicas: 2 } } as never;
  expect(inForce({ ...pool, status }, null, scaling())).toBe(3);
  expect(inForce({ ...pool, status }, null, null)).toBe(2);
  expect(inForce(samplePool(), null, null)).toBe(3);
});

test('a pool without autoscaling decides nothing; a new operator goes on with the history in status', () => {
  const world = worldOf(2);
  expect(decidePoolScaling(samplePool(), world, null, null)).toBeNull();
  const at = Math.floor(world.now / 1000) - 31;
  const status = { autoscaling: { history: [{ at, low: 2, high: 4 }] } } as never;
  const decided = decidePoolScaling(
    { ...pool, status },
    world,
    { parcels: 0, bounces: 0, closed: false },
    null,
  );
  expect(decided?.history[0]).toEqual({ at, low: 2, high: 4 });
});

test('a change is told once, with its figures; what only waits is not', () => {
  const notes: EventNote[] = [];
  const deps = { tell: (_: AnyObject, note: EventNote) => void notes.push(note) };
  tellScaling(deps, {} as AnyObject, scaling(), 1);
  tellScaling(deps, {} as AnyObject, scaling(), 3);
  tellScaling(deps, {} as AnyObject, scaling({ reason: 'Stabilizing' }), 4);
  expect(notes).toEqual([
    {
      type: 'Normal',
      reason: 'ScaledUp',
      action: 'Autoscale',
      note: 'from 1 to 3 pods: 25 ready at 10 a pod',
    },
  ]);
});

test('metrics show what is wished for and by which load; nothing stays of a pool that is gone', async () => {
  measureScaling('mail/demo', 3, scaling());
  expect(await metric('postfleet_pool_desired_replicas')).toEqual([['mail/demo', 3]]);
  expect(await metric('postfleet_pool_load')).toEqual([
    ['mail/demo', 'ready', 25],
    ['mail/demo', 'in_flight', 2],
    ['mail/demo', 'per_second', 7.5],
    ['mail/demo', 'silent', 1],
  ]);
  measureScaling('mail/demo', 3, null);
  expect(await metric('postfleet_pool_load')).toEqual([]);
  forgetScaling('mail/demo');
  expect(await metric('postfleet_pool_desired_replicas')).toEqual([]);
});
