import fc from 'fast-check';
import { Slots } from './slots.ts';

const KEY = '198.51.100.10 example.com';

test('a limit is a limit for all pods together', () => {
  const slots = new Slots();
  expect(slots.take(KEY, 'a', 2, 0).taken).toBe(true);
  expect(slots.take(KEY, 'b', 2, 0).taken).toBe(true);
  expect(slots.take(KEY, 'c', 2, 0)).toEqual({ taken: false, open: 2, retryAfterSeconds: 1 });
  expect(slots.take('another', 'c', 2, 0).taken).toBe(true);
});

test('a free slot goes to the pod that was refused first', () => {
  const slots = new Slots();
  slots.take(KEY, 'a', 1, 0);
  slots.take(KEY, 'b', 1, 0);
  slots.take(KEY, 'c', 1, 10);
  slots.release(KEY);
  expect(slots.take(KEY, 'a', 1, 20).taken).toBe(false);
  expect(slots.take(KEY, 'c', 1, 30).taken).toBe(false);
  expect(slots.take(KEY, 'b', 1, 40).taken).toBe(true);
});

test('a pod that does not come back loses its turn, and the slot is not lost with it', () => {
  const slots = new Slots();
  slots.take(KEY, 'a', 1, 0);
  slots.take(KEY, 'b', 1, 0);
  slots.release(KEY);
  expect(slots.take(KEY, 'a', 1, 1000).taken).toBe(false);
  expect(slots.take(KEY, 'a', 1, 3001).taken).toBe(true);
});

test('who waits behind many is told to come back later', () => {
  const slots = new Slots();
  slots.take(KEY, 'first', 1, 0);
  const answers = ['a', 'b', 'c'].map((pod) => slots.take(KEY, pod, 1, 0));
  expect(answers.map((answer) => !answer.taken && answer.retryAfterSeconds)).toEqual([1, 2, 3]);
});

test('more releases than takes are a defect', () => {
  expect(() => new Slots().release(KEY)).toThrow(/more often/);
});

const pods = fc.constantFrom('a', 'b', 'c', 'd', 'e');
const command = fc.oneof(
  fc.record({ do: fc.constant('take' as const), pod: pods }),
  fc.record({ do: fc.constant('release' as const), pod: pods }),
  fc.record({ do: fc.constant('pass' as const), ms: fc.nat(5000) }),
);

test('property: never more than the limit open, whatever connects and ends in whatever order', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4 }), fc.array(command, { maxLength: 200 }), (limit, commands) => {
      const slots = new Slots();
      let now = 0;
      let open = 0;
      for (const one of commands) {
        if (one.do === 'pass') now += one.ms;
        else if (one.do === 'take') open += slots.take(KEY, one.pod, limit, now).taken ? 1 : 0;
        else if (open > 0) {
          slots.release(KEY);
          open--;
        }
        expect(open).toBeLessThanOrEqual(limit);
        expect(slots.open(KEY)).toBe(open);
      }
    }),
  );
});

test('property: pods that always want more take turns; none is served twice as often as another', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 4, max: 8 }), (limit, count) => {
      const slots = new Slots();
      const served = Array.from({ length: count }, () => 0);
      let open = 0;
      for (let now = 0; now < 200_000; now += 1000) {
        for (; open > 0; open--) slots.release(KEY);
        for (const [pod, times] of served.entries())
          if (slots.take(KEY, String(pod), limit, now).taken) {
            served[pod] = times + 1;
            open++;
          }
      }
      expect(Math.max(...served)).toBeLessThanOrEqual(2 * Math.min(...served));
    }),
    { numRuns: 10 },
  );
});

test('what a former holder has open counts, until it has not', () => {
  const slots = new Slots();
  slots.occupy('a google', 2);
  expect(slots.take('a google', 'p1', 2, 0)).toMatchObject({ taken: false, open: 2 });
  slots.occupy('a google', -1);
  expect(slots.take('a google', 'p1', 2, 0)).toEqual({ taken: true });
  slots.occupy('a google', -1);
  expect(slots.open('a google')).toBe(1);
});
