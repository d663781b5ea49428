import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FAILPOINTS } from '../../process/failpoint.ts';
import { ALONE, IN_LANES } from './delivery.ts';
import { OF_OPERATOR } from './operator.ts';
import { readRows, readTests } from './table.ts';

const points = readRows().map(({ point }) => point);
const scenarios = [...Object.keys(IN_LANES), ...Object.keys(ALONE), ...Object.keys(OF_OPERATOR)];

test('every row is walked, and nothing is walked that has no row', () => {
  expect(points.toSorted()).toEqual(scenarios.toSorted());
});

test('every failpoint has a row', () => {
  expect(points).toEqual(expect.arrayContaining(Object.keys(FAILPOINTS)));
});

test('a row says in numbers what it comes to', () => {
  expect(readRows('| `a.b` | x | y | **2** | 0 |\n| a | x | y | 1 | 0 |\n| `c` is prose |')).toEqual([
    { point: 'a.b', numbers: [2, 0] },
  ]);
  expect(() => readRows('| `a.b` | x | y | some | 0 |')).toThrow(/a\.b/);
});

test('a test that a row names is there', () => {
  const named = readTests();
  expect(named.length).toBeGreaterThan(10);
  for (const { file, title } of named) {
    const source = readFileSync(join(import.meta.dirname, '../..', file), 'utf8');
    expect({ file, title, there: source.includes(`'${title}'`) }).toEqual({ file, title, there: true });
  }
});
