// The chart's start script on a real PostgreSQL: roles, passwords and TLS are as the Secret and the certificate say, at every start.
import { execFileSync } from 'node:child_process';
import { chownSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { freePorts } from '../e2e/rig/ports.ts';
import { postgresBin } from '../e2e/rig/postgres.ts';
import { Child, until } from '../e2e/rig/process.ts';
import { type Authority, createAuthority } from '../operator/authority/authority.ts';
import { renderChart } from './render.ts';

const SCRIPTS = renderChart().find(
  ({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === 'postfleet-postgres',
)?.data as Record<string, string>;
const folder = mkdtempSync(join(tmpdir(), 'postfleet-chart-pg-'));
const place = (name: string): string => join(folder, name);
/** PostgreSQL refuses to run as root. */
const user = (flag: string): number => Number(execFileSync('id', [flag, 'postgres']).toString());
const who = process.getuid?.() === 0 ? { uid: user('-u'), gid: user('-g') } : {};
let authority: Authority;
let port = 0;
let server: Child | undefined;

beforeAll(async () => {
  authority = await createAuthority();
  [port = 0] = await freePorts(1);
  for (const name of ['data', 'etc', 'tls', 'passwords', 'socket']) mkdirSync(place(name));
  for (const [name, text] of Object.entries(SCRIPTS)) writeFileSync(place(`etc/${name}`), moved(text));
  const identity = { namespace: 'mail', role: 'postgres', pool: null, pod: 'p', uid: 'u' } as const;
  const { cert, key, ca } = await authority.issueFor(identity, { hosts: ['localhost'] });
  for (const [name, text] of [
    ['tls/tls.crt', cert],
    ['tls/tls.key', key],
    ['ca.crt', ca],
  ] as const)
    writeFileSync(place(name), text, { mode: 0o600 });
  setPasswords('first');
  if (who.uid !== undefined) own(folder);
});
afterAll(async () => {
  await server?.stop('SIGINT');
  rmSync(folder, { recursive: true, force: true });
});

const moved = (text: string): string =>
  text
    .replace(/=\/tmp\b/g, `=${place('socket')}`)
    .replaceAll('/var/lib/postgresql', place('data'))
    .replaceAll('/etc/postfleet', place('etc'))
    .replaceAll('/var/run/postfleet-tls', place('tls'))
    .replaceAll('/var/run/postfleet-passwords', place('passwords'));

function setPasswords(word: string): void {
  for (const role of ['owner', 'ingress', 'delivery'])
    writeFileSync(place(`passwords/${role}-password`), `${word}-${role}`);
}

function own(path: string): void {
  chownSync(path, who.uid ?? 0, who.gid ?? 0);
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) own(join(path, entry.name));
    else chownSync(join(path, entry.name), who.uid ?? 0, who.gid ?? 0);
  }
}

async function start(): Promise<void> {
  const path = `${postgresBin()}:/usr/bin:/bin`;
  server = new Child('sh', [place('etc/start.sh')], {
    ...who,
    cwd: folder,
    env: { PATH: path, PGPORT: String(port) },
  });
  await until(
    'PostgreSQL',
    async () => {
      if (!server?.running) throw new Error(server?.output);
      await query('postfleet', 'no', '').catch((error) => {
        if (!/password/.test(String(error))) throw error;
      });
      return true;
    },
    30_000,
  );
}

async function query(role: string, password: string, sql: string, ssl = true): Promise<unknown[]> {
  const tls = ssl ? `?sslmode=verify-full&sslrootcert=${place('ca.crt')}` : '?sslmode=disable';
  const client = new pg.Client(`postgresql://${role}:${password}@localhost:${port}/postfleet${tls}`);
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

test('each role comes in with its password over verified TLS, and only so', async () => {
  await start();
  await query('postfleet', 'first-owner', 'create table t (a int)');
  expect(await query('postfleet_ingress', 'first-ingress', 'select current_user as name')).toEqual([
    { name: 'postfleet_ingress' },
  ]);
  await expect(query('postfleet_delivery', 'first-delivery', 'select * from t')).rejects.toThrow(
    'permission denied',
  );
  await expect(query('postfleet_delivery', 'first-delivery', 'create table u (a int)')).rejects.toThrow(
    'permission denied',
  );
  await expect(query('postfleet_delivery', 'first-owner', 'select 1')).rejects.toThrow('password');
  await expect(query('postfleet', 'first-owner', 'select 1', false)).rejects.toThrow('no pg_hba.conf entry');
}, 60_000);

test('after a kill it starts again on the same data, with new passwords', async () => {
  await server?.stop('SIGKILL');
  setPasswords('second');
  await start();
  expect(await query('postfleet', 'second-owner', 'select count(*)::int as rows from t')).toEqual([
    { rows: 0 },
  ]);
  await expect(query('postfleet', 'first-owner', 'select 1')).rejects.toThrow('password');
}, 60_000);
