// Brings the schema up to date: files of migrations/ in their order, each once, in one transaction under an advisory lock.
import { readdir, readFile } from 'node:fs/promises';
import { type Database, inTransaction, type Queryable } from './db.ts';

/** Any constant will do: it only has to be the same in every release. */
const LOCK = 7_063_312;
const FOLDER = new URL('./migrations/', import.meta.url);

/** Applies what is missing and renews the grants; gives the names applied now. Several gateways may call it at once. */
export async function migrate(database: Database): Promise<readonly string[]> {
  const names = (await readdir(FOLDER)).filter((name) => /^\d{3}_.*\.sql$/.test(name)).sort();
  return inTransaction(database, async (client) => {
    await client.query('set local statement_timeout = 0');
    await client.query('select pg_advisory_xact_lock($1)', [LOCK]);
    const applied = await appliedMigrations(client);
    const missing = names.filter((name) => !applied.has(name));
    for (const name of missing) {
      await client.query(await readFile(new URL(name, FOLDER), 'utf8'));
      await client.query('insert into schema_migration (name) values ($1)', [name]);
    }
    // At every start: a role may have been made after the tables were.
    await client.query(await readFile(new URL('./grants.sql', import.meta.url), 'utf8'));
    return missing;
  });
}

async function appliedMigrations(client: Queryable): Promise<Set<string>> {
  await client.query(
    'create table if not exists schema_migration (name text primary key, applied_at timestamptz not null default now())',
  );
  const { rows } = await client.query<{ name: string }>('select name from schema_migration');
  return new Set(rows.map(({ name }) => name));
}
