// docs/operations.md says of every reason that can be shown what it means: nobody on call should meet one that stands nowhere.
import { globSync, readFileSync } from 'node:fs';
import { REASONS } from './reasons.ts';

const shown = (): string[] => {
  const files = globSync('operator/**/*.ts').filter((file) => !/\.test\.ts$/.test(file));
  const source = files.map((file) => readFileSync(file, 'utf8')).join('\n');
  return Object.keys(REASONS).filter((reason) => source.includes(`'${reason}'`));
};

test('every reason that the operator shows is explained to who is on call', () => {
  const page = readFileSync('docs/operations.md', 'utf8');
  expect(shown().length).toBeGreaterThan(40);
  expect(shown().filter((reason) => !page.includes(`\`${reason}\``))).toEqual([]);
});
