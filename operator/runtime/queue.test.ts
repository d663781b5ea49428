import fc from 'fast-check';
import { register } from 'prom-client';
import { ManualClock } from './manual-clock.ts';
import { WorkQueue } from './queue.ts';

let clock: ManualClock;
let queue: WorkQueue;
beforeEach(() => {
  clock = new ManualClock();
  queue = new WorkQueue('test', { clock });
});
afterEach(() => queue.shutDown());

it('holds a key once, in order of arrival', async () => {
  for (const key of ['a', 'b', 'a', 'c', 'b']) queue.add(key);
  expect(queue.depth).toBe(3);
  expect([await queue.take(), await queue.take(), await queue.take()]).toEqual(['a', 'b', 'c']);
});

it('gives a key to one worker at a time, and again afterwards when it was added during the work', async () => {
  queue.add('a');
  await queue.take();
  queue.add('a');
  queue.add('a');
  const next = queue.take();
  await expect(Promise.race([next, Promise.resolve('nothing')])).resolves.toBe('nothing');
  queue.done('a');
  expect(await next).toBe('a');
  queue.done('a');
  expect(queue.depth).toBe(0);
});

it('doubles the wait from 5 ms to 1000 s, until the key is forgotten', async () => {
  const waits: number[] = [];
  for (let i = 0; i < 20; i++) {
    queue.addRateLimited('a');
    waits.push(clock.pending[0] ?? 0);
    clock.advance(1_000_000);
    queue.done((await queue.take()) ?? '');
  }
  expect(waits.slice(0, 4)).toEqual([5, 10, 20, 40]);
  expect(waits.slice(-3)).toEqual([655_360, 1_000_000, 1_000_000]);
  queue.forget('a');
  queue.addRateLimited('a');
  expect(clock.pending).toEqual([5]);
});

it('of several delays keeps the earliest', () => {
  queue.addAfter('a', 500);
  queue.addAfter('a', 900);
  queue.addAfter('a', 100);
  expect(clock.pending).toEqual([100]);
  clock.advance(100);
  expect(queue.depth).toBe(1);
});

it('wakes its takers at the end, and takes nothing more', async () => {
  const waiting = queue.take();
  queue.addAfter('b', 100);
  queue.shutDown();
  queue.add('a');
  expect(await waiting).toBeNull();
  expect(await queue.take()).toBeNull();
  expect(clock.pending).toEqual([]);
});

it('never loses a key and never works one twice at a time', async () => {
  const step = fc.oneof(
    fc.record({ add: fc.constantFrom('a', 'b', 'c') }),
    fc.constant({ take: true as const }),
    fc.constant({ done: true as const }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const tried = new WorkQueue('property', { clock });
      const owed = new Set<string>();
      const working: string[] = [];
      for (const one of steps) {
        if ('add' in one) {
          tried.add(one.add);
          owed.add(one.add);
        } else if ('take' in one && tried.depth > 0) {
          const key = (await tried.take()) ?? '';
          expect(working).not.toContain(key);
          expect(owed.delete(key)).toBe(true);
          working.push(key);
        } else if ('done' in one) {
          tried.done(working.shift() ?? '');
        }
      }
      for (const key of working) tried.done(key);
      while (tried.depth > 0) owed.delete((await tried.take()) ?? '');
      expect([...owed]).toEqual([]);
      tried.shutDown();
    }),
  );
});

it('shows itself under controller-runtime’s names', async () => {
  queue.add('a');
  await queue.take();
  clock.advance(3_000);
  queue.add('b');
  queue.addRateLimited('c');
  const text = await register.metrics();
  const labels = '{name="test",controller="test"}';
  expect(text).toContain(`workqueue_depth${labels} 1`);
  expect(text).toContain(`workqueue_unfinished_work_seconds${labels} 3`);
  expect(text).toContain(`workqueue_longest_running_processor_seconds${labels} 3`);
  expect(text).toMatch(/workqueue_adds_total\{name="test",controller="test"\} \d+/);
  expect(text).toMatch(/workqueue_retries_total\{name="test",controller="test"\} \d+/);
  expect(text).toContain('workqueue_queue_duration_seconds_bucket');
  queue.done('a');
  expect(await register.metrics()).toContain(
    'workqueue_work_duration_seconds_sum{name="test",controller="test"}',
  );
});
