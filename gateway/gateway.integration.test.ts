import { join } from 'node:path';
import { Child, freePorts, type Postgres, startPostgres, until } from '../e2e/rig/servers.ts';
import { createAccount } from './accounts.ts';
import { type Database, openDatabase } from './db.ts';
import { createKey, findKey, listKeys, revokeKey } from './keys.ts';
import { migrate } from './migrate.ts';
import { addSuppressed, isSuppressed, listSuppressed, removeSuppressed, suppressed } from './suppression.ts';
import { tokenKeyId, tokenMatches } from './token.ts';

let postgres: Postgres;
let database: Database;

beforeAll(async () => {
  postgres = await startPostgres();
  database = openDatabase(postgres.url, { name: 'test', connections: 6 });
}, 60_000);
afterAll(async () => {
  await database?.end();
  await postgres?.remove();
});

test('migrations are applied once, also when several gateways start at once', async () => {
  const applied = await Promise.all([migrate(database), migrate(database), migrate(database)]);
  expect(applied.map((names) => names.length).sort()).toEqual([0, 0, 2]);
  expect(await migrate(database)).toEqual([]);
});

test('roles that exist get exactly what they need', async () => {
  await database.query('create role postfleet_ingress login');
  await database.query('create role postfleet_delivery login');
  await migrate(database);
  const may = async (role: string, table: string, what: string) =>
    (await database.query('select has_table_privilege($1, $2, $3) as may', [role, table, what])).rows[0].may;
  expect(await may('postfleet_ingress', 'api_key', 'select')).toBe(true);
  expect(await may('postfleet_ingress', 'api_key', 'update')).toBe(false);
  expect(await may('postfleet_delivery', 'suppression', 'select')).toBe(true);
  expect(await may('postfleet_delivery', 'api_key', 'select')).toBe(false);
});

describe('accounts and keys', () => {
  test('a key authenticates until it is revoked, and its token is not in the database', async () => {
    await createAccount(database, 'acme');
    const { token, id } = await createKey(database, 'acme', 'ci');
    expect(tokenKeyId(token)).toBe(id);
    const found = await findKey(database, id);
    expect(found?.account).toBe('acme');
    expect(tokenMatches(token, found?.hash ?? Buffer.alloc(32))).toBe(true);
    expect(tokenMatches(`${token.slice(0, -1)}x`, found?.hash ?? Buffer.alloc(32))).toBe(false);
    expect(JSON.stringify((await database.query('select * from api_key')).rows)).not.toContain(
      token.slice(16),
    );
    await revokeKey(database, id);
    expect(await findKey(database, id)).toBeNull();
    expect((await listKeys(database, 'acme')).map(({ last4 }) => last4)).toEqual([token.slice(-4)]);
  });

  test.each([
    ['a taken name', () => createAccount(database, 'acme'), /acme exists already/],
    ['a malformed name', () => createAccount(database, 'Acme Inc'), /no account name/],
    ['a key of nobody', () => createKey(database, 'nobody', ''), /no account nobody/],
    ['revoking an unknown key', () => revokeKey(database, '000000000000'), /no key 000000000000/],
  ])('%s is refused', async (_, act, message) => {
    await expect(act()).rejects.toThrow(message);
  });
});

describe('suppression', () => {
  test('is found however the address is spelled, and only for its account', async () => {
    await createAccount(database, 'one');
    await createAccount(database, 'two');
    expect(
      await addSuppressed(database, 'one', ['Jo.Doe@Bücher.Example', 'JO.DOE@xn--bcher-kva.example']),
    ).toBe(1);
    const asked = ['jo.doe@BÜCHER.example', 'jo.doe+x@bücher.example'];
    expect([...(await isSuppressed(database, 'one', asked))]).toEqual([asked[0]]);
    expect([...(await isSuppressed(database, 'two', asked))]).toEqual([]);
    const pairs = ['one', 'two', 'three'].map((account) => ({ account, address: 'jo.doe@bücher.example' }));
    expect(await suppressed(database, pairs)).toEqual([true, false, false]);
  });

  test('thousands are added, listed in pages and removed', async () => {
    await createAccount(database, 'many');
    const addresses = Array.from({ length: 25_000 }, (_, i) => `u${i}@x.example`);
    expect(await addSuppressed(database, 'many', addresses)).toBe(25_000);
    expect(await addSuppressed(database, 'many', addresses.slice(0, 10))).toBe(0);
    const first = await listSuppressed(database, 'many', null, 20_000);
    const rest = await listSuppressed(database, 'many', first.at(-1)?.address ?? '', 20_000);
    expect(new Set([...first, ...rest].map(({ address }) => address)).size).toBe(25_000);
    expect(await removeSuppressed(database, 'many', [...addresses, 'absent@x.example'])).toBe(25_000);
  });
});

test('the role waits for its database, migrates it, says so, and ends at SIGTERM', async () => {
  const [port] = await freePorts(1);
  const run = `import('${join(import.meta.dirname, 'main.ts')}').then((m) => m.runGateway(process.env))`;
  const gateway = new Child(process.execPath, ['-e', run], {
    env: {
      POSTFLEET_DATABASE_URL: postgres.url.replace(/postfleet$/, 'late'),
      POSTFLEET_METRICS_PORT: String(port),
    },
  });
  const ready = async () => (await fetch(`http://127.0.0.1:${port}/readyz`)).status;
  await until(
    'it says it is not ready',
    async () => (await ready()) === 503 && gateway.output.includes('cannot be migrated yet'),
  );
  await database.query('create database late');
  await until('it is ready', async () => (await ready()) === 200);
  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  expect(metrics).toContain('postfleet_gateway_database_connections');
  await gateway.stop();
  expect(gateway.process.exitCode).toBe(0);
}, 60_000);
