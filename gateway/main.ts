// The gateway role: owns the schema. The management API will stand here; today it migrates, reports and stays.
import { setTimeout as pause } from 'node:timers/promises';
import { Gauge } from 'prom-client';
import { z } from 'zod';
import { Readiness, serveHealth } from '../process/health.ts';
import { log as rootLog } from '../process/log.ts';
import { port, readSettings } from '../process/settings.ts';
import { askedToEnd } from '../process/termination.ts';
import { type Database, openDatabase } from './db.ts';
import { migrate } from './migrate.ts';

const settings = z.object({ POSTFLEET_DATABASE_URL: z.string().min(1), POSTFLEET_METRICS_PORT: port(9090) });
const log = rootLog.child({ room: 'gateway' });
const RETRY_MS = 2000;
const CHECK_MS = 10_000;

/** Migrates as soon as PostgreSQL answers, then stays up and watches it. Returns at SIGTERM. */
export async function runGateway(env: NodeJS.ProcessEnv): Promise<void> {
  const { POSTFLEET_DATABASE_URL: url, POSTFLEET_METRICS_PORT: metricsPort } = readSettings(settings, env);
  const stop = new AbortController();
  const stopped = askedToEnd().then(() => stop.abort());
  const readiness = new Readiness();
  readiness.set('database', 'not migrated yet');
  const health = await serveHealth(metricsPort, readiness);
  const database = openDatabase(url, { name: 'gateway', connections: 4 });
  observe(database);
  await migrateAtLast(database, readiness, stop.signal);
  const watch = setInterval(() => void check(database, readiness), CHECK_MS);
  await stopped;
  clearInterval(watch);
  health.close();
  await database.end();
}

/** Tries until it succeeds: in a new cluster PostgreSQL starts later than we do. */
async function migrateAtLast(database: Database, readiness: Readiness, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      log.info({ applied: await migrate(database) }, 'the schema is up to date');
      readiness.set('database', null);
      return;
    } catch (error) {
      readiness.set('database', `not migrated: ${(error as Error).message}`);
      log.warn({ error: (error as Error).message }, 'the schema cannot be migrated yet');
      await pause(RETRY_MS, undefined, { signal }).catch(() => {});
    }
  }
}

async function check(database: Database, readiness: Readiness): Promise<void> {
  try {
    await database.query('select 1');
    readiness.set('database', null);
  } catch (error) {
    readiness.set('database', (error as Error).message);
  }
}

function observe(database: Database): void {
  const gauge = (name: string, help: string, value: () => number) =>
    new Gauge({
      name,
      help,
      collect() {
        this.set(value());
      },
    });
  gauge(
    'postfleet_gateway_database_connections',
    'Open connections to PostgreSQL',
    () => database.totalCount,
  );
  gauge(
    'postfleet_gateway_database_waiting',
    'Queries waiting for a connection',
    () => database.waitingCount,
  );
}
