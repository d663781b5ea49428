import { Budget } from './budget.ts';

const never = new AbortController().signal;

describe('Budget', () => {
  test('when slots are short, classes get them in proportion to their weights', async () => {
    const budget = new Budget(1, () => false);
    budget.setWeights([
      { name: 'transactional', weight: 4 },
      { name: 'bulk', weight: 1 },
    ]);
    await budget.acquire('bulk', 1, never);
    const order: string[] = [];
    const ask = (name: string) => budget.acquire(name, 1, never).then(() => order.push(name));
    const asked = ['transactional', 'bulk'].flatMap((name) => Array.from({ length: 20 }, () => ask(name)));
    for (let i = 0; i < 20; i++) {
      budget.release(1);
      await Promise.resolve();
    }
    // Of 21 slots bulk has had its 4: the first one and three of these.
    expect(order.filter((name) => name === 'transactional').length).toBe(17);
    for (let i = 0; i < 20; i++) budget.release(1);
    await Promise.all(asked);
  });

  test('no more than the most is ever granted, and less than wanted when less is left', async () => {
    const budget = new Budget(5, () => false);
    expect(await budget.acquire('a', 3, never)).toBe(3);
    expect(await budget.acquire('a', 3, never)).toBe(2);
    expect(budget.used).toBe(5);
  });

  test('nothing is granted while something else forbids it', async () => {
    let full = true;
    const budget = new Budget(5, () => full);
    const asked = budget.acquire('a', 2, never);
    expect(budget.used).toBe(0);
    full = false;
    budget.poll();
    expect(await asked).toBe(2);
  });

  test('who gives up gets none, and takes none from the others', async () => {
    const budget = new Budget(1, () => false);
    await budget.acquire('a', 1, never);
    const stop = new AbortController();
    const given = budget.acquire('a', 1, stop.signal);
    const waits = budget.acquire('b', 1, never);
    stop.abort();
    budget.release(1);
    expect([await given, await waits, budget.used]).toEqual([0, 1, 1]);
  });
});
