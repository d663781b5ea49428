import fc from 'fast-check';
import { Turns } from './turns.ts';

const a = { pod: 'a', account: 'x' };
const b = { pod: 'b', account: 'x' };
const other = { pod: 'a', account: 'y' };

test.each([
  ['who waits comes before who just asks', [b], [], a, 1],
  ['who has less open comes first', [b], [b], a, 0],
  ['pods before accounts', [other], [a], b, 0],
  ['within a pod the account with less open', [other], [a], a, 1],
  ['one does not wait for itself', [a], [], a, 0],
])('%s', (_, waiting, open, asker, ahead) => {
  const turns = new Turns();
  for (const one of open) turns.granted(one);
  for (const one of waiting) turns.refused(one, 0, 1000);
  expect(turns.ahead(asker, 1)).toBe(ahead);
});

test('who does not come back loses its place', () => {
  const turns = new Turns();
  turns.refused(b, 0, 1000);
  expect(turns.ahead(a, 3000)).toBe(1);
  expect(turns.ahead(a, 3001)).toBe(0);
});

test('a place is not kept idle for who comes later', () => {
  const turns = new Turns();
  turns.refused(b, 0, 15_000);
  expect(turns.ahead(a, 13_499)).toBe(0);
  expect(turns.ahead(a, 13_500)).toBe(1);
});

test('a place that is asked for again keeps its age', () => {
  const turns = new Turns();
  turns.refused(a, 0, 1000);
  turns.refused(b, 10, 1000);
  turns.refused(a, 20, 1000);
  expect(turns.ahead(b, 30)).toBe(1);
  expect(turns.ahead(a, 30)).toBe(0);
});

test('always hungry pods get equal shares to within two turns, however many and however uneven they ask', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 6 }),
      fc.integer({ min: 1, max: 3 }),
      fc.array(fc.nat({ max: 5 }), { minLength: 50, maxLength: 200 }),
      (pods, slots, order) => {
        const turns = new Turns();
        const served = new Map<string, number>();
        const open: { pod: string; account: string }[] = [];
        const ask = (index: number, now: number) => {
          const asker = { pod: `p${index}`, account: '' };
          if (open.length + turns.ahead(asker, now) >= slots) return turns.refused(asker, now, 1000);
          turns.granted(asker);
          served.set(asker.pod, (served.get(asker.pod) ?? 0) + 1);
          open.push(asker);
        };
        for (let pod = 0; pod < pods; pod++) turns.refused({ pod: `p${pod}`, account: '' }, 0, 1000);
        for (const [now, eager] of order.entries()) {
          const ended = open.length === slots ? open.shift() : undefined;
          if (ended) turns.ended(ended);
          for (let times = 0; times < 3; times++) ask(eager % pods, now);
          for (let pod = 0; pod < 2 * pods; pod++) ask(pod % pods, now);
        }
        const counts = Array.from({ length: pods }, (_, pod) => served.get(`p${pod}`) ?? 0);
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(2);
      },
    ),
  );
});
