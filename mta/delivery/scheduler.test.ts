import fc from 'fast-check';
import type { HopId } from '../message/parcel.ts';
import type { Task } from './ports.ts';
import { Scheduler } from './scheduler.ts';

let serial = 0;
const task = (over: Partial<Task> = {}): Task => ({
  hopId: `h${serial++}` as HopId,
  account: 'acme',
  priorityClass: 'bulk',
  site: 's1',
  provider: 'p1',
  hosts: [],
  domain: 'd.test',
  indexes: [0],
  ...over,
});

/** Takes `count` tasks, ending each at once. */
function drain(scheduler: Scheduler, count: number): Task[] {
  const taken: Task[] = [];
  for (let i = 0; i < count; i++) {
    const next = scheduler.next(0);
    if (!next) break;
    taken.push(next);
    scheduler.done(next.site, 0);
  }
  return taken;
}
const countBy = (tasks: readonly Task[], key: (task: Task) => string): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const one of tasks) counts[key(one)] = (counts[key(one)] ?? 0) + 1;
  return counts;
};

describe('shares', () => {
  test('classes are served in proportion to their weights while both have work', () => {
    const scheduler = new Scheduler();
    scheduler.setWeights([
      { name: 'transactional', weight: 10 },
      { name: 'bulk', weight: 1 },
    ]);
    for (let i = 0; i < 500; i++)
      for (const priorityClass of ['transactional', 'bulk']) scheduler.offer(task({ priorityClass }), 5);
    const counts = countBy(drain(scheduler, 110), ({ priorityClass }) => priorityClass);
    expect(counts).toEqual({ transactional: 100, bulk: 10 });
  });

  test('a class that was idle has earned no credit', () => {
    const scheduler = new Scheduler();
    scheduler.setWeights([
      { name: 'transactional', weight: 1 },
      { name: 'bulk', weight: 1 },
    ]);
    for (let i = 0; i < 100; i++) scheduler.offer(task(), 5);
    drain(scheduler, 50);
    for (let i = 0; i < 50; i++) scheduler.offer(task({ priorityClass: 'transactional' }), 5);
    const counts = countBy(drain(scheduler, 20), ({ priorityClass }) => priorityClass);
    expect(counts).toEqual({ transactional: 10, bulk: 10 });
  });

  test('an account with a million messages leaves one with three its turn', () => {
    const scheduler = new Scheduler();
    for (let i = 0; i < 1000; i++) scheduler.offer(task({ account: 'big', site: `s${i % 7}` }), 5);
    for (let i = 0; i < 3; i++) scheduler.offer(task({ account: 'small' }), 5);
    expect(countBy(drain(scheduler, 6), ({ account }) => account)).toEqual({ big: 3, small: 3 });
  });

  test('tasks of an account for a site go in the order they came', () => {
    const scheduler = new Scheduler();
    const tasks = Array.from({ length: 20 }, () => task());
    for (const one of tasks) scheduler.offer(one, 1);
    expect(drain(scheduler, 20)).toEqual(tasks);
  });
});

describe('room', () => {
  test('a site never has more attempts than its limit, and a full one does not hold up the others', () => {
    const scheduler = new Scheduler();
    for (let i = 0; i < 10; i++) scheduler.offer(task({ site: 'slow' }), 2);
    scheduler.offer(task({ site: 'fast' }), 2);
    const sites = [1, 2, 3, 4].map(() => scheduler.next(0)?.site ?? null);
    expect(sites.sort()).toEqual(['fast', 'slow', 'slow', null].sort());
    scheduler.done('slow', 0);
    expect(scheduler.next(0)?.site).toBe('slow');
    expect(scheduler.next(0)).toBeNull();
  });

  test('a refusal without other attempts blocks the site for the time it said', () => {
    const scheduler = new Scheduler();
    for (let i = 0; i < 3; i++) scheduler.offer(task(), 2);
    scheduler.next(0);
    scheduler.refused('s1', 0, 5000);
    scheduler.done('s1', 0);
    expect(scheduler.next(4999)).toBeNull();
    expect(scheduler.nextWake()).toBe(5000);
    expect(scheduler.hasRoom('s1', 4999)).toBe(false);
    expect(scheduler.next(5000)).not.toBeNull();
  });

  test('a refusal beside other attempts asks for no more connections, until its time is over', () => {
    const scheduler = new Scheduler();
    for (let i = 0; i < 20; i++) scheduler.offer(task(), 4);
    for (let i = 0; i < 3; i++) scheduler.next(0);
    scheduler.refused('s1', 0, 5000);
    scheduler.done('s1', 0);
    expect(scheduler.next(1)).toBeNull();
    scheduler.done('s1', 1);
    expect(scheduler.next(1)).not.toBeNull();
    scheduler.done('s1', 5001);
    expect([scheduler.next(5001), scheduler.next(5001), scheduler.next(5001)].filter(Boolean)).toHaveLength(
      2,
    );
  });

  test('a site is full while refusals or its greatest limit say so, not while this pod only raises its limit again', () => {
    const scheduler = new Scheduler();
    for (let i = 0; i < 9; i++) scheduler.offer(task(), 3);
    expect([scheduler.isFull('s1', 0), scheduler.isFull('nobody has been there', 0)]).toEqual([false, false]);
    for (let i = 0; i < 3; i++) scheduler.next(0);
    expect(scheduler.isFull('s1', 0)).toBe(true);
    scheduler.done('s1', 0);
    expect(scheduler.isFull('s1', 0)).toBe(false);
    scheduler.refused('s1', 0, 1000);
    scheduler.done('s1', 0);
    expect([scheduler.isFull('s1', 0), scheduler.isFull('s1', 5999)]).toEqual([true, true]);
    expect(scheduler.isFull('s1', 6000)).toBe(false);
  });

  test('what is withdrawn does not come up again', () => {
    const scheduler = new Scheduler();
    const [stays, goes] = [task(), task({ account: 'other' })];
    scheduler.offer(stays, 1);
    scheduler.offer(goes, 1);
    expect(scheduler.withdraw((one) => one === goes)).toEqual([goes]);
    expect(drain(scheduler, 5)).toEqual([stays]);
    expect([scheduler.queued, scheduler.active]).toEqual([0, 0]);
  });
});

test('whatever happens, every task comes up exactly once and no limit is exceeded', () => {
  const step = fc.record({
    site: fc.integer({ min: 0, max: 4 }),
    account: fc.integer({ min: 0, max: 2 }),
    priorityClass: fc.constantFrom('transactional', 'bulk', 'transfer'),
    next: fc.constantFrom('nothing', 'take', 'end', 'refuse'),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const scheduler = new Scheduler();
      const [offered, taken, running]: [Task[], Task[], Task[]] = [[], [], []];
      let now = 0;
      const take = () => {
        const next = scheduler.next(now);
        if (!next) return false;
        taken.push(next);
        running.push(next);
        expect(running.filter(({ site }) => site === next.site).length).toBeLessThanOrEqual(3);
        return true;
      };
      for (const { site, account, priorityClass, next } of steps) {
        now += 100;
        const one = task({ site: `s${site}`, account: `a${account}`, priorityClass });
        offered.push(one);
        scheduler.offer(one, 3);
        if (next === 'take') take();
        const ended = next === 'end' || next === 'refuse' ? running.shift() : undefined;
        if (ended && next === 'refuse') scheduler.refused(ended.site, now, 1000);
        if (ended) scheduler.done(ended.site, now);
      }
      for (let idle = 0; idle < 10; ) {
        now += 5000;
        while (take()) idle = 0;
        for (const one of running.splice(0)) scheduler.done(one.site, now);
        idle++;
      }
      expect(new Set(taken)).toEqual(new Set(offered));
      expect(taken).toHaveLength(offered.length);
      expect([scheduler.queued, scheduler.active]).toEqual([0, 0]);
    }),
  );
});
