import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { LONGEST, longestFirst } from './longest-first.ts';

const file = (name: string) => ({ path: `/home/ann/postfleet/${name}` });

test('what takes longest comes first, and all others stay as they were', () => {
  const walk = file('e2e/crash-points/walk.integration.test.ts');
  const operator = file('e2e/crash-points/operator.integration.test.ts');
  const [small, large] = [file('a/small.integration.test.ts'), file('b/large.integration.test.ts')];
  expect(longestFirst([large, small, operator, walk])).toEqual([walk, operator, large, small]);
});

test('every file of the list is there', () => {
  const root = join(import.meta.dirname, '..');
  expect(LONGEST.filter((name) => !existsSync(join(root, name)))).toEqual([]);
});
