import { seeded } from '../internet/random.ts';
import { FAULTS } from './faults/index.ts';
import { steps, together } from './pick.ts';

const first = (seed: number, count: number) => {
  const picked = [];
  const endless = steps(FAULTS, seeded(seed));
  while (picked.flat().length < count) picked.push(endless.next().value as (typeof FAULTS)[number][]);
  return picked;
};
const names = (seed: number) => first(seed, FAULTS.length).map((step) => step.map(({ name }) => name));

test('the seed decides', () => {
  expect(names(1)).toEqual(names(1));
  expect(names(1)).not.toEqual(names(2));
});

test('every fault comes once before any comes again, some in pairs that have nothing in common', () => {
  const picked = first(3, FAULTS.length);
  const all = picked.flat().map(({ name }) => name);
  expect(all.slice().sort()).toEqual(FAULTS.map(({ name }) => name).sort());
  const pairs = picked.filter((step) => step.length === 2);
  expect(pairs.length).toBeGreaterThan(2);
  for (const [one, other] of pairs) expect(one && other && together(one, other)).toBe(true);
});

test('names are unique', () => {
  expect(new Set(FAULTS.map(({ name }) => name)).size).toBe(FAULTS.length);
});
