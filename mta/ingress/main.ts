// `postfleet ingress`: settings, identity, connections, and the order of ending.
import { readFile } from 'node:fs/promises';
import { openDatabase } from '../../gateway/db.ts';
import { Readiness, serveHealth } from '../../process/health.ts';
import { ensureIdentity } from '../../process/identity/ensure.ts';
import { log as rootLog } from '../../process/log.ts';
import { readSettings } from '../../process/settings.ts';
import { askedToEnd } from '../../process/termination.ts';
import { connectBus } from '../bus/client.ts';
import { parseSealingKey } from '../bus/seal.ts';
import { startIngress } from './role.ts';
import { ingressSettings } from './settings.ts';

const log = rootLog.child({ room: 'ingress' });
/** A publish may be repeated for up to a minute, and its client waits for the answer. */
const GRACE_MS = 75_000;

/** Runs the ingress role until SIGTERM or SIGINT. @throws SettingsError */
export async function runIngress(env: NodeJS.ProcessEnv): Promise<void> {
  const settings = readSettings(ingressSettings, env);
  const readiness = new Readiness();
  const health = await serveHealth(settings.POSTFLEET_METRICS_PORT, readiness);
  await ensureIdentity(settings, { readiness, log });
  const database = openDatabase(settings.POSTFLEET_DATABASE_URL, { name: 'ingress' });
  const ingress = await startIngress({
    hostname: settings.POSTFLEET_HOSTNAME,
    tlsDir: settings.POSTFLEET_TLS_DIR,
    maxBytes: settings.POSTFLEET_MAX_MESSAGE_BYTES,
    horizonMs: settings.POSTFLEET_PUBLISH_HORIZON_SECONDS * 1000,
    sealingKey: parseSealingKey(await readFile(settings.POSTFLEET_DKIM_KEY_FILE, 'utf8')),
    ports: {
      submission: settings.POSTFLEET_SUBMISSION_PORT,
      submissions: settings.POSTFLEET_SUBMISSIONS_PORT,
      http: settings.POSTFLEET_HTTP_PORT,
    },
    database,
    bus: connectBus(settings, 'ingress', (obstacle) => readiness.set('nats', obstacle)),
    log,
  });
  log.info({ ports: ingress.ports }, 'ingress takes mail');
  const signal = await askedToEnd();
  log.info({ signal }, 'ingress is asked to end');
  readiness.set('ending', 'asked to end');
  await ingress.stop(GRACE_MS);
  health.close();
  // A connection that never came about, or a server that does not answer, must not keep the pod from ending.
  process.exit(0);
}
