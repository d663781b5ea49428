import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FAULTS } from './faults/index.ts';

test('docs/faults.md lists every fault in its words', () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/faults.md'), 'utf8');
  const listed = [...page.matchAll(/^\| `([a-z0-9-]+)` +\| (.*?) *\|/gm)].map(([, name, what]) => [
    name,
    what,
  ]);
  expect(listed).toEqual(FAULTS.map(({ name, what }) => [name, what]));
});
