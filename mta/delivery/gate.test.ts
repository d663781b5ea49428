import { jest } from '@jest/globals';
import { type Fence, Gate } from './gate.ts';

/** Fences that are settled as the test says. */
function scripted() {
  const asked = new Map<string, PromiseWithResolvers<{ unconfirmed: string[] }>>();
  const fence: Fence = (_, __, uid) => {
    const answer = Promise.withResolvers<{ unconfirmed: string[] }>();
    asked.set(uid, answer);
    return answer.promise;
  };
  const failures: unknown[] = [];
  const gate = (fences: readonly string[]) =>
    new Gate({ shard: 0, epoch: 1, fences }, fence, (error) => failures.push(error));
  return { asked, failures, gate };
}
const REDELIVERED = 2;

test.each<[string, readonly (readonly string[])[], string]>([
  ['nobody is to be fenced', [], 'free'],
  ['one is fenced', [[]], 'free'],
  ['both are', [[], []], 'free'],
  ['one of two is not certain', [[], ['192.0.2.1']], 'unconfirmed'],
])('when %s, redelivered mail is %s', async (_, outcomes, passage) => {
  const { asked, gate } = scripted();
  const uids = outcomes.map((_outcome, n) => `uid-${n}`);
  const one = gate(uids);
  for (const [n, unconfirmed] of outcomes.entries()) {
    expect(one.passage(REDELIVERED)).toBe('held');
    expect(one.passage(1)).toBe('free');
    asked.get(`uid-${n}`)?.resolve({ unconfirmed: [...unconfirmed] });
    await new Promise((resolve) => setImmediate(resolve));
  }
  await one.settled;
  expect(one.passage(REDELIVERED)).toBe(passage);
});

test('a fence that fails is asked for again, and holds the mail until then', async () => {
  jest.useFakeTimers();
  const { asked, failures, gate } = scripted();
  const one = gate(['a', 'b']);
  asked.get('a')?.resolve({ unconfirmed: [] });
  asked.get('b')?.reject(new Error('a defect'));
  await jest.advanceTimersByTimeAsync(1000);
  expect(failures).toHaveLength(1);
  expect(one.passage(REDELIVERED)).toBe('held');
  await jest.advanceTimersByTimeAsync(5000);
  asked.get('b')?.resolve({ unconfirmed: [] });
  await one.settled;
  expect(one.passage(REDELIVERED)).toBe('free');
  jest.useRealTimers();
});

test.each([
  ['the same hold', 1, ['a', 'b'], true],
  ['a later epoch, which owes less', 2, ['b'], true],
  ['another one lost', 2, ['a', 'b', 'c'], false],
])('while it is held, it stands for %s', (_, epoch, fences, fits) => {
  expect(scripted().gate(['a', 'b']).fits({ shard: 0, epoch, fences })).toBe(fits);
});

test('once it is settled it stands for its own epoch alone', async () => {
  const { asked, gate } = scripted();
  const one = gate(['a']);
  asked.get('a')?.resolve({ unconfirmed: [] });
  await one.settled;
  expect(one.fits({ shard: 0, epoch: 1, fences: ['a'] })).toBe(true);
  expect(one.fits({ shard: 0, epoch: 2, fences: [] })).toBe(false);
});

test('abandoned, it lets nothing pass', async () => {
  const { asked, gate } = scripted();
  const one = gate(['a']);
  one.abandon();
  asked.get('a')?.resolve({ unconfirmed: [] });
  await one.settled;
  expect(one.passage(REDELIVERED)).toBe('held');
});
