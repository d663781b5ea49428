// `postfleet egress`: settings, identity, connections, and the order of ending.
import { Readiness, serveHealth } from '../../process/health.ts';
import { ensureIdentity } from '../../process/identity/ensure.ts';
import { log as rootLog } from '../../process/log.ts';
import { readSettings } from '../../process/settings.ts';
import { askedToEnd } from '../../process/termination.ts';
import { connectBus } from '../bus/client.ts';
import { resolveHost } from '../dns/host.ts';
import { createResolver, type Resolver } from '../dns/resolver.ts';
import { monotonicClock } from './clock.ts';
import type { DialOptions } from './dial.ts';
import { LEASE_TIMES } from './hold.ts';
import { Refused } from './refusal.ts';
import { startRole } from './role.ts';
import { egressSettings } from './settings.ts';

const log = rootLog.child({ room: 'egress' });

const CONNECT_TIMEOUT_MS = 30_000;
/** Ten minutes after the final dot (RFC 5321 §4.5.3.2.6), and one to be the later of the two ends. */
const IDLE_MS = 11 * 60_000;
const HALF_CLOSED_MS = 30_000;
/** The pod has eleven minutes to end. */
const GRACE_MS = 10 * 60_000 + 20_000;

/** Runs the egress role until SIGTERM or SIGINT. @throws SettingsError */
export async function runEgress(env: NodeJS.ProcessEnv): Promise<void> {
  const settings = readSettings(egressSettings, env);
  const readiness = new Readiness();
  const health = await serveHealth(settings.POSTFLEET_METRICS_PORT, readiness);
  const identity = await ensureIdentity(settings, { readiness, log });
  const bus = await connectBus(settings, 'egress', (obstacle) => readiness.set('nats', obstacle));
  const resolver = createResolver({ servers: settings.POSTFLEET_DNS_SERVERS });
  const role = await startRole({
    settings,
    tls: () => identity.credentials,
    bus,
    resolve: (host, family) => resolve(resolver, host, family),
    readiness,
    clock: monotonicClock,
    times: LEASE_TIMES,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    idleMs: IDLE_MS,
    halfClosedMs: HALF_CLOSED_MS,
  });
  identity.keepRenewed(role.server);
  log.info({ ipPool: settings.POSTFLEET_IP_POOL, port: role.port }, 'egress works');
  const signal = await askedToEnd();
  log.info({ signal }, 'egress is asked to end');
  await role.close(GRACE_MS);
  identity.stop();
  resolver.close();
  health.close();
  await bus.close();
  // Sockets of callers that do not answer must not keep the pod from ending.
  process.exit(0);
}

/** @throws Refused ResolveFailed when the DNS gives no answer now. */
async function resolve(resolver: Resolver, host: string, family: 4 | 6): ReturnType<DialOptions['resolve']> {
  const result = await resolveHost(resolver, host, [family]);
  if (result.kind === 'temporary') throw new Refused('ResolveFailed', `${host}: ${result.reason}`);
  return result.kind === 'addresses' ? result.addresses.map(({ address }) => address) : [];
}
