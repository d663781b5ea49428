import fc from 'fast-check';
import { Pair, type PairLimits, type PairRecord, UNBOUNDED } from './pair.ts';

const limits: PairLimits = {
  connections: 2,
  messagesPerConnection: 50,
  attemptsPerMinute: null,
  messages: {},
};
const asker = (pod: string) => ({ pod, account: '' });
const a = asker('a');

function granted(pair: Pair, now = 0, want = 100, pod = 'a', outside = UNBOUNDED) {
  const answer = pair.grant(asker(pod), now, want, outside);
  if (answer.verdict !== 'granted') throw new Error(JSON.stringify(answer));
  return answer.grant;
}
const fetch = (pair: Pair, now: number) => pair.confirmed(pair.slices(now));
const stored = (pair: Pair, now: number): PairRecord => ({
  version: 1,
  address: '',
  provider: '',
  ...pair.record(now, now),
});

test('a grant carries what the connection, the outside and the caller allow', () => {
  const pair = new Pair(limits);
  expect(granted(pair).recipients).toBe(50);
  expect(granted(pair, 0, 7).recipients).toBe(7);
  expect(pair.grant(a, 0, 1)).toEqual({ verdict: 'refused', limit: 'connections', retryMs: 1000 });
  expect(granted(new Pair(limits), 0, 9, 'a', { recipients: 3, connections: 1 }).recipients).toBe(3);
});

test.each([
  ['no recipients', { recipients: 0, connections: 1 }, 'outside'],
  ['no connections', { recipients: 5, connections: 0 }, 'connections'],
])('the outside may leave %s', (_, outside, limit) => {
  expect(new Pair(limits).grant(a, 0, 1, outside)).toMatchObject({ verdict: 'refused', limit });
});

test('an ended connection frees its slot once, and the pod that waits gets it', () => {
  const pair = new Pair({ ...limits, connections: 1 });
  const first = granted(pair);
  expect(pair.grant(asker('b'), 0, 1)).toMatchObject({ limit: 'connections' });
  first.end(10);
  first.end(10);
  expect(pair.connections(10)).toBe(0);
  expect(pair.grant(a, 10, 1)).toMatchObject({ limit: 'turn' });
  granted(pair, 10, 1, 'b');
});

test('attempts count from their dial, also failed ones, and one that never left does not', () => {
  const pair = new Pair({ ...limits, connections: 9, attemptsPerMinute: 2 });
  for (const [at, attempted] of [
    [0, true],
    [5000, false],
    [5000, true],
  ] as const) {
    fetch(pair, at);
    const grant = granted(pair, at);
    grant.dialled(at, attempted);
    grant.end(at, 0);
  }
  expect(pair.grant(a, 30_000, 1)).toMatchObject({ verdict: 'refused', limit: 'attempts', retryMs: 15_000 });
  fetch(pair, 60_400);
  granted(pair, 60_400);
});

test('windows ask for a reservation first, and refuse by their name when they are full', () => {
  const pair = new Pair({ ...limits, messages: { minute: 2 } });
  expect(pair.grant(a, 0, 5)).toEqual({ verdict: 'reserve' });
  for (let count = 0; count < 2; count++) {
    expect(pair.wantsSlice(0)).toBe(true);
    fetch(pair, 0);
    const grant = granted(pair, 0, 5);
    grant.used(0, 1);
    grant.end(0);
  }
  expect(pair.grant(a, 1000, 5)).toMatchObject({ limit: 'minute' });
  expect(pair.used('minute', 1000)).toBe(2);
});

test('what nobody reported counts as used', () => {
  const pair = new Pair({ ...limits, messages: { second: 10 } });
  granted(pair, 0, 10).end(500);
  expect(pair.used('second', 600)).toBe(10);
});

test('scarce recipients are left for whose turn it is', () => {
  const pair = new Pair({ ...limits, connections: 5, messages: { second: 3 } });
  const first = granted(pair, 0, 3);
  for (const pod of ['b', 'c']) expect(pair.grant(asker(pod), 0, 3)).toMatchObject({ verdict: 'refused' });
  first.end(0);
  expect(granted(pair, 1010, 3, 'a').recipients).toBe(1);
  expect(granted(pair, 1010, 3, 'b').recipients).toBe(2);
});

test('a successor counts the connections of the one before until its grants have ended', () => {
  const pair = new Pair(limits);
  granted(pair);
  const next = new Pair(limits, stored(pair, 0), { now: 100, wallNow: 100, grantsEndAt: 500, skewMs: 0 });
  expect(next.grant(a, 499, 1)).toMatchObject({ limit: 'connections' });
  granted(next, 500);
  const unknown = new Pair(limits, null, { now: 100, wallNow: 100, grantsEndAt: 500, skewMs: 0 });
  expect(unknown.grant(a, 499, 1)).toMatchObject({ limit: 'connections' });
});

test('changed limits hold at the next grant, over the same history', () => {
  const pair = new Pair(limits);
  granted(pair, 0, 50).end(0);
  pair.setLimits({ ...limits, messages: { hour: 50 } });
  expect(pair.grant(a, 1000, 1)).toMatchObject({ limit: 'hour' });
});

test('five pods, 2 connections, 100 a minute: never more, above 90 % of it, and fair', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 50, max: 900 }), { minLength: 5, maxLength: 20 }), (times) => {
      const pair = new Pair({ ...limits, messages: { minute: 100 } });
      const ends: { at: number; end: (at: number) => void }[] = [];
      const wakes = new Map(['a', 'b', 'c', 'd', 'e'].map((pod) => [pod, 0]));
      const served = new Map<string, number>();
      const log: { at: number; units: number }[] = [];
      for (let now = 0; now < 600_000; now += 50) {
        for (const one of ends.splice(0))
          if (one.at <= now) one.end(now);
          else ends.push(one);
        if (pair.wantsSlice(now)) fetch(pair, now);
        for (const [pod, at] of wakes) {
          if (at > now) continue;
          const answer = pair.grant(asker(pod), now, 10);
          if (answer.verdict === 'refused') wakes.set(pod, now + answer.retryMs);
          if (answer.verdict !== 'granted') continue;
          const { grant } = answer;
          expect(pair.connections(now)).toBeLessThanOrEqual(2);
          served.set(pod, (served.get(pod) ?? 0) + grant.recipients);
          ends.push({
            at: now + (times[log.length % times.length] as number),
            end: (at) => {
              log.push({ at, units: grant.recipients });
              grant.end(at);
            },
          });
          wakes.set(pod, now + 50);
        }
      }
      const total = log.reduce((sum, one) => sum + one.units, 0);
      expect(total).toBeGreaterThan(900);
      for (const { at } of log)
        expect(
          log.reduce((sum, one) => (one.at > at - 60_000 && one.at <= at ? sum + one.units : sum), 0),
        ).toBeLessThanOrEqual(100);
      for (const pod of wakes.keys()) expect((served.get(pod) ?? 0) / total).toBeGreaterThan(0.12);
    }),
    { numRuns: 5 },
  );
});
