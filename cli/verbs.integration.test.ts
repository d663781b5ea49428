import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Postgres, startPostgres } from '../e2e/rig/servers.ts';
import { openDatabase } from '../gateway/db.ts';
import { migrate } from '../gateway/migrate.ts';
import { registerAccountCommands } from './account.ts';
import { registerKeyCommands } from './key.ts';
import { printing } from './printed.fixture.ts';
import { registerSuppressionCommands } from './suppression.ts';

let postgres: Postgres;
let folder: string;

beforeAll(async () => {
  postgres = await startPostgres();
  process.env.POSTFLEET_DATABASE_URL = postgres.url;
  folder = await mkdtemp(join(tmpdir(), 'postfleet-cli-'));
}, 60_000);
afterAll(async () => {
  await postgres?.remove();
  await rm(folder, { recursive: true, force: true });
});

const postfleet = printing(registerAccountCommands, registerKeyCommands, registerSuppressionCommands);

test('before the gateway has run, the verbs say what is missing', async () => {
  await expect(postfleet('account', 'list')).rejects.toMatchObject({
    expected: true,
    message: expect.stringMatching(/no tables yet/),
  });
  const database = openDatabase(postgres.url, { name: 'test' });
  await migrate(database);
  await database.end();
  expect(await postfleet('account', 'list')).toBe('none');
});

test('a key is shown once, by its end afterwards', async () => {
  await postfleet('account', 'create', 'acme');
  const token = /pf_\w+/.exec(await postfleet('key', 'create', 'acme', '--name', 'ci'))?.[0] ?? '';
  expect(token).toMatch(/^pf_[0-9a-f]{12}_[0-9a-f]{64}$/);
  const [key] = JSON.parse(await postfleet('key', 'list', '--output', 'json'));
  expect(key).toMatchObject({ account: 'acme', name: 'ci', last4: token.slice(-4), revokedAt: null });
  expect(JSON.stringify(key)).not.toContain(token.slice(-64));
  expect(await postfleet('key', 'revoke', key.id)).toContain('revoked');
  await expect(postfleet('key', 'revoke', key.id)).rejects.toThrow(/was revoked at/);
});

test('a file of addresses is added whole, or not at all when it has bad lines', async () => {
  const file = join(folder, 'list');
  const list = async () => JSON.parse(await postfleet('suppression', 'list', 'acme', '-o', 'json'));
  await writeFile(file, '# list\na@x.example\n\nnot an address\nb@x.example\nc@[192.0.2.1]\n');
  await expect(postfleet('suppression', 'add', 'acme', '--file', file)).rejects.toThrow(
    /line 4 "not an address".*\n.*line 6 .*literals/,
  );
  expect(await list()).toEqual([]);
  await writeFile(file, 'a@x.example\r\nB@x.example\r\n');
  expect(await postfleet('suppression', 'add', 'acme', '--file', file)).toBe('added 2 of 2');
  expect((await list()).map((row: { address: string }) => row.address).sort()).toEqual([
    'a@x.example',
    'b@x.example',
  ]);
  expect(await postfleet('suppression', 'remove', 'acme', 'A@X.example')).toBe('removed 1 of 1');
});

test('no database at all is said in a sentence', async () => {
  process.env.POSTFLEET_DATABASE_URL = 'postgres://nobody@127.0.0.1:1/none';
  await expect(postfleet('account', 'list')).rejects.toMatchObject({
    expected: true,
    message: expect.stringMatching(/cannot be reached/),
  });
});
