// A real PostgreSQL in a folder of its own, run as the user `postgres` when we are root (it refuses root).
import { execFileSync } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { freePorts } from './ports.ts';
import { Child, until } from './process.ts';

export interface Postgres {
  /** URL of the superuser on database `postfleet`. */
  readonly url: string;
  readonly child: Child;
  start(): Promise<void>;
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** Ends it and removes its data. */
  remove(): Promise<void>;
}

/** The folder of Debian's newest PostgreSQL programs. */
export function postgresBin(): string {
  const root = '/usr/lib/postgresql';
  const version = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a))[0] : undefined;
  if (!version) throw new Error('PostgreSQL is not installed: run `make tools`');
  return join(root, version, 'bin');
}

/** Makes a cluster with database `postfleet` and starts it. */
export async function startPostgres(): Promise<Postgres> {
  const folder = mkdtempSync(join(tmpdir(), 'postfleet-pg-'));
  const root = process.getuid?.() === 0;
  const as = root ? ['runuser', '-u', 'postgres', '--'] : [];
  if (root) {
    const [uid, gid] = ['-u', '-g'].map((flag) => Number(execFileSync('id', [flag, 'postgres'])));
    chownSync(folder, uid as number, gid as number);
  }
  const run = (program: string, ...args: string[]) => [...as, join(postgresBin(), program), ...args];
  const [initdb, ...initdbArgs] = run(
    'initdb',
    '-D',
    join(folder, 'data'),
    '-U',
    'postfleet',
    '-A',
    'trust',
    '-N',
    '--locale=C.UTF-8',
    '-E',
    'UTF8',
  );
  execFileSync(initdb as string, initdbArgs, { stdio: 'pipe' });
  const [port] = await freePorts(1);
  const [program, ...args] = run(
    'postgres',
    '-D',
    join(folder, 'data'),
    '-p',
    String(port),
    '-c',
    'listen_addresses=127.0.0.1',
    '-k',
    folder,
    '-c',
    'fsync=off',
  );
  const base = `postgres://postfleet@127.0.0.1:${port}`;
  let child: Child;
  const start = async () => {
    child = new Child(program as string, args, { name: 'postgres' });
    await until('PostgreSQL', () => {
      if (!child.running) throw new Error(child.output);
      return query(`${base}/postgres`, 'select 1');
    });
  };
  await start();
  await query(`${base}/postgres`, 'create database postfleet');
  // runuser stays the parent: SIGTERM to it is passed on; SIGKILL is not, so the fast shutdown asks postgres itself.
  const stop = (signal: NodeJS.Signals = 'SIGTERM') => child.stop(signal);
  return {
    url: `${base}/postfleet`,
    get child() {
      return child;
    },
    start,
    stop,
    async remove() {
      await stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function query(url: string, sql: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(sql).finally(() => client.end());
  return true;
}
