import { mostWithin } from './within.ts';

test.each([
  [[], 0],
  [[5], 1],
  [[0, 59_999, 60_000], 2],
  [[70_000, 0, 30_000, 59_999], 3],
])('%j: at most %i in any minute', (times, most) => {
  expect(mostWithin(times, 60_000)).toBe(most);
});
