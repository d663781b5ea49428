import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generatedFiles } from './generate.ts';

const root = join(import.meta.dirname, '..');

test.each([...generatedFiles()])('%s is as resources/ says (else: make generate)', async (path, content) => {
  expect(await readFile(join(root, path), 'utf8')).toBe(content);
});
