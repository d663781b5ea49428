// The database for the verbs that need it: run in the gateway's pod, or wherever POSTFLEET_DATABASE_URL is set.
import { z } from 'zod';
import { type Database, openDatabase } from '../gateway/db.ts';
import { Refusal } from '../gateway/refusal.ts';
import { readSettings } from '../process/settings.ts';

const settings = z.object({ POSTFLEET_DATABASE_URL: z.string().min(1) });

/** Gives `work` a database and closes it. @throws SettingsError, Refusal when it does not answer. */
export async function withDatabase<T>(work: (database: Database) => Promise<T>): Promise<T> {
  const { POSTFLEET_DATABASE_URL: url } = readSettings(settings);
  const database = openDatabase(url, { name: 'cli', connections: 2, statementTimeoutMs: 300_000 });
  try {
    return await work(database);
  } catch (error) {
    throw explained(error);
  } finally {
    await database.end();
  }
}

function explained(error: unknown): unknown {
  const code = (error as { code?: string }).code ?? '';
  if (code === '42P01')
    return new Refusal('the database has no tables yet: the gateway makes them when it starts');
  if (code === '42501') return new Refusal(`this database role may not do that: ${(error as Error).message}`);
  if (
    /^(ECONN|ENOTFOUND|EHOST|ETIMEDOUT|EAI_|28|3D|57P)/.test(code) ||
    /timeout|terminated/i.test(String(error))
  )
    return new Refusal(`PostgreSQL cannot be reached: ${(error as Error).message || code}`);
  return error;
}
