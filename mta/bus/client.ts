// The connection to NATS: never gives up, and is trusted only after the server has proven its durability at this connect.
import { join } from 'node:path';
import { type JetStreamClient, type JetStreamManager, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { type KV, Kvm } from '@nats-io/kv';
import { type ConnectionOptions, connect, type NatsConnection } from '@nats-io/transport-node';
import { log as rootLog } from '../../process/log.ts';
import { durabilityObstacle, type Profile, readServerReport } from './durability.ts';

const log = rootLog.child({ room: 'bus' });
/** How long to wait before an unproven server is asked again. */
const PROOF_RETRY_MS = 2000;

export interface BusSettings {
  readonly POSTFLEET_NATS_URL: readonly string[];
  readonly POSTFLEET_NATS_REPLICAS: number;
  readonly POSTFLEET_NATS_MONITOR_URL: string;
  readonly POSTFLEET_IDENTITY_DIR: string;
}

export interface Bus {
  readonly nc: NatsConnection;
  readonly js: JetStreamClient;
  /** The manager for streams and consumers; each call may fail while NATS is away. */
  manager(): Promise<JetStreamManager>;
  /** Opens an existing bucket; reads and writes fail when it is missing. */
  kv(bucket: string): Promise<KV>;
  /** Why mail must not be entrusted to NATS now (disconnected, not durable, not proven yet), or null. */
  obstacle(): string | null;
  close(): Promise<void>;
}

/**
 * Connects to NATS; resolves at the first connection, however long that takes (the caller shows `nats: not connected` until
 * then). `onObstacle` is told of every change of `obstacle()`.
 */
export async function connectBus(
  settings: BusSettings,
  role: string,
  onObstacle: (obstacle: string | null) => void = () => {},
): Promise<Bus> {
  onObstacle('not connected');
  const nc = await connect(connectionOptions(settings, role));
  const js = jetstream(nc, { timeout: 10_000 });
  const kvm = new Kvm(js);
  const proof = watchDurability(nc, settings, onObstacle);
  return {
    nc,
    js,
    manager: () => jetstreamManager(nc, { checkAPI: false }),
    kv: (bucket) => kvm.open(bucket, { allow_direct: false }),
    obstacle: proof.obstacle,
    close: () => nc.close(),
  };
}

function connectionOptions(settings: BusSettings, role: string): ConnectionOptions {
  const file = (name: string) => join(settings.POSTFLEET_IDENTITY_DIR, name);
  const encrypted = settings.POSTFLEET_NATS_URL.some((url) => url.startsWith('tls://'));
  return {
    servers: settings.POSTFLEET_NATS_URL.map((url) => url.replace(/^[a-z]+:\/\//, '')),
    name: `postfleet-${role}`,
    // A prefix per role, which the chart's permissions tell apart: else each role could read what is delivered to another.
    inboxPrefix: `_INBOX_${role}`,
    // A daemon waits for ever; the library's default closes for good after 20 s.
    waitOnFirstConnect: true,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 500,
    // A rotated certificate or a server that is still loading its users refuses twice in a row.
    ignoreAuthErrorAbort: true,
    // Servers announce pod addresses, which stand in no certificate.
    ignoreClusterUpdates: true,
    // A stack captured at every request costs more than the request; errors carry their cause without it.
    noAsyncTraces: true,
    pingInterval: 5000,
    maxPingOut: 2,
    // The files are read at each connect, so that a renewed certificate is taken up.
    ...(encrypted && {
      tls: { certFile: file('tls.crt'), keyFile: file('tls.key'), caFile: file('ca.crt') },
    }),
  };
}

/** Proves the server's durability now and after each reconnect; asks again while it is not proven. */
function watchDurability(
  nc: NatsConnection,
  settings: BusSettings,
  onObstacle: (obstacle: string | null) => void,
) {
  let current: string | null = 'not proven yet';
  let round = 0;
  const state = (obstacle: string | null) => {
    if (obstacle !== current) log[obstacle ? 'warn' : 'info']({ obstacle }, 'NATS');
    current = obstacle;
    onObstacle(obstacle);
  };
  const prove = async () => {
    const mine = ++round;
    state('not proven yet');
    while (mine === round && !nc.isClosed()) {
      const obstacle = await askServer(nc, settings);
      if (mine !== round) return;
      state(obstacle);
      if (obstacle === null) return;
      await new Promise((resolve) => setTimeout(resolve, PROOF_RETRY_MS).unref());
    }
  };
  void prove();
  void (async () => {
    for await (const status of nc.status()) {
      if (status.type === 'disconnect') {
        round++;
        state('disconnected');
      } else if (status.type === 'reconnect') void prove();
    }
    round++;
    state('closed');
  })();
  return { obstacle: () => current };
}

async function askServer(nc: NatsConnection, settings: BusSettings): Promise<string | null> {
  const profile: Profile = { replicas: settings.POSTFLEET_NATS_REPLICAS };
  const host = nc.getServer().replace(/:\d+$/, '');
  const url = settings.POSTFLEET_NATS_MONITOR_URL.replace('{host}', host);
  try {
    const caFile = url.startsWith('https:') ? join(settings.POSTFLEET_IDENTITY_DIR, 'ca.crt') : null;
    return durabilityObstacle(await readServerReport(url, caFile), nc.info?.server_id ?? '', profile);
  } catch (error) {
    return `durability of ${host} cannot be proven: ${url} does not answer (${(error as Error).message})`;
  }
}
