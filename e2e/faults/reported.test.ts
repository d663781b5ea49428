import { growth, metric } from './reported.ts';

test('a metric is the sum over its labels', () => {
  expect(metric('# HELP a_total x\na_total{pool="p"} 2\na_total{pool="q"} 3\nb 9\n', 'a_total')).toBe(5);
  expect(metric('b 9\n', 'a_total')).toBe(0);
});

test.each([
  [2, 5, 3],
  [5, 5, 0],
  [5, 1, 1],
])('from %d to %d it grew by %d', (before, now, grown) => {
  expect(growth(before, now)).toBe(grown);
});
