// `postfleet delivery`: settings, identity, connections, and the order of ending.
import { Counter } from 'prom-client';
import { openDatabase } from '../../gateway/db.ts';
import { suppressed } from '../../gateway/suppression.ts';
import { Readiness, serveHealth } from '../../process/health.ts';
import { ensureIdentity } from '../../process/identity/ensure.ts';
import { keepRunning } from '../../process/lastresort.ts';
import { log as rootLog } from '../../process/log.ts';
import { readSettings } from '../../process/settings.ts';
import { askedToEnd } from '../../process/termination.ts';
import { connectBus } from '../bus/client.ts';
import { lookupMx } from '../dns/mx.ts';
import { createResolver } from '../dns/resolver.ts';
import { startRole } from './role.ts';
import { deliverySettings } from './settings.ts';

const log = rootLog.child({ room: 'delivery' });

/** Those past the final dot may take ten minutes (RFC 5321 §4.5.3.2.6); the pod has eleven to end. */
const GRACE_MS = 10 * 60_000 + 20_000;

const uncaught = new Counter({
  name: 'postfleet_uncaught_errors_total',
  help: 'Errors that nobody caught; each is a defect.',
  labelNames: ['room'],
});

/** Runs the delivery role until SIGTERM or SIGINT. @throws SettingsError */
export async function runDelivery(env: NodeJS.ProcessEnv): Promise<void> {
  const settings = readSettings(deliverySettings, env);
  keepRunning(log, () => uncaught.inc({ room: 'delivery' }));
  const readiness = new Readiness();
  const health = await serveHealth(settings.POSTFLEET_METRICS_PORT, readiness);
  const identity = await ensureIdentity(settings, { readiness });
  const database = openDatabase(settings.POSTFLEET_DATABASE_URL, { name: 'delivery', connections: 4 });
  const resolver = createResolver({ servers: settings.POSTFLEET_DNS_SERVERS });
  const bus = connectBus(settings, 'delivery', (obstacle) => readiness.set('nats', obstacle));
  const role = await startRole({
    pod: settings.POSTFLEET_POD_NAME,
    uid: settings.POSTFLEET_POD_UID,
    pool: `${settings.POSTFLEET_NAMESPACE}/${settings.POSTFLEET_POOL}`,
    spoolDir: settings.POSTFLEET_SPOOL_DIR,
    adminPort: settings.POSTFLEET_ADMIN_PORT,
    identity,
    bus,
    lookupMx: (domain) => lookupMx(resolver, domain),
    suppressed: (pairs) => suppressed(database, pairs),
    readiness,
    log,
  });
  log.info({ pool: settings.POSTFLEET_POOL }, 'delivery works');
  const signal = await new Promise<string>((resolve) => {
    void askedToEnd().then(resolve);
    // The connection mends itself; one that is closed for good never comes back, and a new process may have one.
    void bus.then(({ nc }) => nc.closed()).then((error) => resolve(`NATS is closed: ${error ?? 'unasked'}`));
  });
  log.info({ signal }, 'delivery is asked to end');
  await role.stop(GRACE_MS);
  health.close();
  // Connections that never came about, or a server that does not answer, must not keep the pod from ending.
  process.exit(0);
}
