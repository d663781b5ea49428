import { register } from 'prom-client';
import { Controller, type Reconcile } from './controller.ts';
import { ApiError } from './errors.ts';
import { Bug, Terminal, Transient } from './failures.ts';
import { ManualClock } from './manual-clock.ts';
import { eventually } from './scripted-api-server.ts';

let clock: ManualClock;
let controller: Controller;
const done: string[] = [];
beforeEach(() => {
  register.resetMetrics();
  clock = new ManualClock();
  done.length = 0;
});
afterEach(() => controller.stop());

function run(reconcile: Reconcile, concurrency = 1): Controller {
  controller = new Controller({ name: 'test', concurrency, clock, timeoutSeconds: 60, reconcile }).always(
    'a',
  );
  controller.start();
  return controller;
}
const counted = async (name: string, labels: Record<string, string> = {}) => {
  const metric = await register.getSingleMetric(name)?.get();
  const found = metric?.values.find((value) =>
    Object.entries(labels).every(([key, is]) => value.labels[key] === is),
  );
  return found?.value ?? 0;
};

it('reconciles its keys at start and is then done with them', async () => {
  run(async (key) => void done.push(key) as undefined);
  await eventually(() => done.length === 1 && clock.pending.length === 0);
  expect(await counted('controller_runtime_reconcile_total', { result: 'success' })).toBe(1);
});

it('comes again when the result asks for it', async () => {
  run(async (key) => {
    done.push(key);
    return { requeueAfterSeconds: 30 };
  });
  await eventually(() => clock.pending.includes(30_000));
  clock.advance(30_000);
  await eventually(() => done.length === 2);
  expect(await counted('controller_runtime_reconcile_total', { result: 'requeue_after' })).toBe(2);
});

it.each([
  ['Transient', new Transient('later'), 0],
  ['an API error', new ApiError(409, 'Conflict', 'changed'), 0],
  ['Bug', new Bug('oh'), 1],
  ['anything unforeseen', new TypeError('undefined is not a function'), 1],
])('backs off after %s', async (_, error, panics) => {
  run(async () => {
    done.push('tried');
    if (done.length < 3) throw error;
    return undefined;
  });
  for (const wait of [5, 10]) {
    await eventually(() => clock.pending.includes(wait));
    clock.advance(wait);
  }
  await eventually(() => done.length === 3 && clock.pending.length === 0);
  expect(await counted('controller_runtime_reconcile_errors_total')).toBe(2);
  expect(await counted('controller_runtime_reconcile_panics_total')).toBe(2 * panics);
});

it('does not repeat what is Terminal before something changes', async () => {
  run(async () => {
    done.push('tried');
    throw new Terminal('never');
  });
  await eventually(() => done.length === 1 && clock.pending.length === 0);
  expect(await counted('controller_runtime_terminal_reconcile_errors_total')).toBe(1);
  controller.enqueue('a');
  await eventually(() => done.length === 2);
});

it('works different keys at the same time, one key never', async () => {
  const gates = new Map<string, () => void>();
  run((key) => new Promise((resolve) => gates.set(key, () => resolve(undefined))), 2);
  controller.enqueue('b');
  await eventually(() => gates.size === 2);
  expect(await counted('controller_runtime_active_workers')).toBe(2);
  for (const open of gates.values()) open();
  await eventually(() => clock.pending.length === 0);
});

it('waits for running reconciles at its end, tells them so, and can be started again', async () => {
  let aborted = false;
  run(async (_, signal) => {
    if (done.push('begun') > 1) return undefined;
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    aborted = signal.aborted;
    return undefined;
  });
  await eventually(() => done.length === 1);
  expect(() => controller.start()).toThrow('already started');
  await controller.stop();
  expect(aborted).toBe(true);
  controller.start();
  await eventually(() => done.length === 2);
});

it('counts a reconcile that takes too long', async () => {
  run(async (_, signal) => {
    if (done.push('begun') > 1) return undefined;
    await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    return undefined;
  });
  await eventually(() => clock.pending.includes(60_000));
  clock.advance(60_000);
  await eventually(() => clock.pending.includes(5));
  expect(await counted('controller_runtime_reconcile_timeouts_total')).toBe(1);
  clock.advance(5);
  await eventually(() => done.length === 2);
});
