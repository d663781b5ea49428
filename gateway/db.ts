// The pool of connections to PostgreSQL. Every statement is bounded in time: a slow database must not pile up mail in memory.
import pg from 'pg';
import { log } from '../process/log.ts';

export type Database = pg.Pool;
/** What a query needs: a pool or a client in a transaction. */
export type Queryable = Pick<pg.Pool, 'query'>;

export interface DatabaseOptions {
  /** Shown in pg_stat_activity. */
  readonly name: string;
  readonly connections?: number;
  readonly statementTimeoutMs?: number;
}

/** Opens a pool; connects on first use. The URL may carry sslmode, sslrootcert, sslcert and sslkey. */
export function openDatabase(url: string, options: DatabaseOptions): Database {
  const pool = new pg.Pool({
    connectionString: url,
    application_name: `postfleet-${options.name}`,
    max: options.connections ?? 8,
    connectionTimeoutMillis: 3000,
    idleTimeoutMillis: 60_000,
    statement_timeout: options.statementTimeoutMs ?? 5000,
    // Half-open connections answer nothing at all, so the server's timeout alone is not enough.
    query_timeout: (options.statementTimeoutMs ?? 5000) + 1000,
    keepAlive: true,
  });
  // Without a listener a connection that the server ends while it is idle would end the process.
  pool.on('error', (error) => log.warn({ error: error.message }, 'PostgreSQL closed an idle connection'));
  return pool;
}

/** Runs `work` in a transaction: all of it or nothing. */
export async function inTransaction<T>(
  database: Database,
  work: (client: pg.PoolClient) => Promise<T>,
): Promise<T> {
  const client = await database.connect();
  let broken = false;
  try {
    await client.query('begin');
    const result = await work(client);
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback').catch(() => {
      broken = true;
    });
    throw error;
  } finally {
    client.release(broken);
  }
}
