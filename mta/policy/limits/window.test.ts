import fc from 'fast-check';
import { Window } from './window.ts';

test('counts what is younger than its length, and says when it leaves', () => {
  const window = new Window(1280);
  window.add(100, 3);
  window.add(500, 2);
  expect(window.count(1379)).toBe(5);
  expect(window.freesAt(1000, 3)).toBe(1380);
  expect(window.freesAt(1000, 4)).toBe(1780);
  expect(window.freesAt(1000, 6)).toBe(Infinity);
  expect(window.count(1380)).toBe(2);
  expect(window.count(1780)).toBe(0);
});

test('never forgets too early and keeps nothing longer than 1/128 of its length', () => {
  const events = fc.array(fc.tuple(fc.integer({ min: 0, max: 400 }), fc.integer({ min: 1, max: 5 })), {
    maxLength: 400,
  });
  fc.assert(
    fc.property(events, (gaps) => {
      const window = new Window(12_800);
      const all: [number, number][] = [];
      let now = 0;
      for (const [gap, units] of gaps) {
        now += gap;
        window.add(now, units);
        all.push([now, units]);
        const within = (length: number) =>
          all.reduce((sum, [at, units]) => (at + length > now ? sum + units : sum), 0);
        expect(window.count(now)).toBeGreaterThanOrEqual(within(12_800));
        expect(window.count(now)).toBeLessThanOrEqual(within(12_900));
        expect(window.spans(now).length).toBeLessThanOrEqual(130);
      }
    }),
  );
});

test('spans of any order are taken in, also ones that end later than now', () => {
  const window = new Window(1280, [
    { until: 500, units: 1 },
    { until: 100, units: 2 },
  ]);
  window.add(300, 4);
  expect(window.spans(300)).toEqual([
    { until: 100, units: 2 },
    { until: 300, units: 4 },
    { until: 500, units: 1 },
  ]);
});
