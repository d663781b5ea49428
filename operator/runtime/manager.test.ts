import { Readiness } from '../../process/health.ts';
import type { Elector } from './elector.ts';
import { Manager, type ManagerOptions } from './manager.ts';
import { ManualClock } from './manual-clock.ts';
import { eventually } from './scripted-api-server.ts';

const clock = new ManualClock();
const steps: string[] = [];
let readiness: Readiness;
const synced = { value: false, age: 0 };
let sync: () => void;
let lead: (leading: boolean) => void;
let leaderless = 0;

function manager(more: Partial<ManagerOptions> = {}): Manager {
  const { promise, resolve } = Promise.withResolvers<void>();
  sync = () => {
    synced.value = true;
    resolve();
  };
  const step = (name: string) => async () => void steps.push(name);
  const reflector = {
    name: 'pods',
    start: () => void steps.push('watch'),
    stop: step('unwatch'),
    whenSynced: () => promise,
    get synced() {
      return synced.value;
    },
    get lastEventAgeSeconds() {
      return synced.age;
    },
  };
  const controller = { name: 'pools', start: () => void steps.push('control'), stop: step('uncontrol') };
  const elector = {
    isLeader: true,
    start: () => void steps.push('elect'),
    stop: step('release'),
    get leaderlessSeconds() {
      return leaderless;
    },
  } as unknown as Elector;
  return new Manager({
    reflectors: [reflector],
    controllers: [controller],
    elector: (onChange) => {
      lead = onChange;
      return elector;
    },
    onStop: step('flush'),
    readiness,
    clock,
    ...more,
  });
}

beforeEach(() => {
  steps.length = 0;
  readiness = new Readiness();
  Object.assign(synced, { value: false, age: 0 });
  leaderless = 0;
});

it('fills caches, then elects, then works; and takes it all back in the other order', async () => {
  const made = manager();
  const started = made.start();
  expect(readiness.obstacles).toEqual(['watch pods: not synced']);
  expect(steps).toEqual(['watch']);
  sync();
  await started;
  expect(readiness.obstacles).toEqual([]);
  lead(true);
  await eventually(() => steps.length === 3);
  await made.stop();
  expect(steps).toEqual(['watch', 'elect', 'control', 'uncontrol', 'flush', 'release', 'unwatch']);
});

it('stops the controllers when it loses the lease, and starts them in the next term', async () => {
  const made = manager();
  sync();
  await made.start();
  lead(true);
  await eventually(() => steps.includes('control'));
  lead(false);
  lead(true);
  lead(false);
  await eventually(() => steps.includes('uncontrol'));
  lead(true);
  await eventually(() => steps.filter((step) => step === 'control').length === 2);
  await made.stop();
});

it('is not ready when a watch is silent or nobody leads', async () => {
  const made = manager();
  sync();
  await made.start();
  synced.age = 181;
  leaderless = 61;
  clock.advance(5_000);
  expect(readiness.obstacles).toEqual(['watch pods: silent for 181 s', 'election: nobody has led for 61 s']);
  synced.age = 0;
  leaderless = 0;
  clock.advance(5_000);
  expect(readiness.obstacles).toEqual([]);
  await made.stop();
});

it('works at once without election', async () => {
  const made = manager({ elector: undefined });
  sync();
  await made.start();
  await eventually(() => steps.includes('control'));
  expect(made.isLeader).toBe(true);
  await made.stop();
});
