import fc from 'fast-check';
import { Pair, type PairRecord } from './pair.ts';
import { strictestPair } from './strictest.ts';
import type { Span } from './window.ts';

const NOW = Date.UTC(2026, 10, 1);
const HOUR = 3_600_000;
const NONE = { second: [], minute: [], hour: [], day: [] };
const record = (day: readonly Span[], reserved = 0, over: Partial<PairRecord> = {}): PairRecord => ({
  ...{ version: 1, address: '192.0.2.1', provider: 'p', connections: 5 },
  messages: { windows: { ...NONE, day }, reserved },
  attempts: { windows: NONE, reserved: 0 },
  ...over,
});
const hoursAgo = (hours: number, units: number): Span => ({ until: NOW - hours * HOUR, units });

test.each<[string, PairRecord, PairRecord, number]>([
  ['nothing', record([]), record([]), 0],
  ['what one of them has', record([hoursAgo(1, 7)]), record([]), 7],
  ['what went on from the other', record([hoursAgo(2, 7)]), record([hoursAgo(2, 7), hoursAgo(1, 1)]), 8],
  ['what was reserved once, though it is spans by now', record([], 2), record([hoursAgo(1, 2)], 1), 3],
  ['not what is over', record([hoursAgo(30, 1000)]), record([hoursAgo(1, 2)]), 2],
])('of the day counts %s', (_, one, other, units) => {
  for (const both of [strictestPair(one, other, NOW), strictestPair(other, one, NOW)]) {
    const { windows, reserved } = both.messages;
    expect(windows.day.reduce((sum, span) => sum + span.units, reserved)).toBe(units);
  }
});

test.each([
  [{ uid: 'a', epoch: 2 }, { uid: 'b', epoch: 1 }, 'a'],
  [{ uid: 'a', epoch: 1 }, { uid: 'b', epoch: 2 }, 'b'],
])('who wrote it is the later holder', (one, other, uid) => {
  const both = strictestPair(record([], 0, { writer: one }), record([], 0, { writer: other }), NOW);
  expect(both.writer?.uid).toBe(uid);
});

const LIMITS = {
  ...{ connections: 1000, messagesPerConnection: 1000, attemptsPerMinute: 1000 },
  messages: { minute: 1000, hour: 1000, day: 1000 },
};
const WINDOWS = ['minute', 'hour', 'day'] as const;

test('property: of a record and one that went on from it, whatever was used meanwhile, it is the later, or leaves no more', () => {
  const use = fc.record({ waitMs: fc.nat({ max: 2 * HOUR }), units: fc.integer({ min: 1, max: 9 }) });
  const uses = fc.array(use, { maxLength: 8 });
  fc.assert(
    fc.property(uses, uses, fc.nat({ max: 30 * HOUR }), (before, after, rest) => {
      let now = 0;
      const pairOf = (from: PairRecord | null) =>
        new Pair(LIMITS, from, { now, wallNow: NOW + now, grantsEndAt: now, skewMs: 0 });
      const play = (pair: Pair, steps: typeof before) => {
        for (const { waitMs, units } of steps) {
          now += waitMs;
          const slices = pair.slices(now);
          pair.confirmed(slices);
          const answer = pair.grant({ pod: 'p', account: 'a' }, now, units);
          if (answer.verdict === 'granted') answer.grant.end(now, units);
        }
        const slices = pair.slices(now);
        pair.confirmed(slices);
        return record([], 0, pair.record(now, NOW + now, slices));
      };
      const first = play(pairOf(null), before);
      const second = play(pairOf(first), after);
      now += rest;
      const [truth, found] = [second, strictestPair(first, second, NOW + now)].map(pairOf);
      for (const window of WINDOWS)
        expect(found?.used(window, now)).toBeGreaterThanOrEqual(truth?.used(window, now) ?? 0);
    }),
  );
});
