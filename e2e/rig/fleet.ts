// A whole fleet on loopback without Kubernetes: real roles as child processes, mutual TLS between them, real NATS and
// PostgreSQL. The rig plays the operator: it writes the snapshot and the assignment.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAccount } from '../../gateway/accounts.ts';
import { openDatabase } from '../../gateway/db.ts';
import { createKey } from '../../gateway/keys.ts';
import { migrate } from '../../gateway/migrate.ts';
import type { Bus } from '../../mta/bus/client.ts';
import { assignmentKey, FLEET_BUCKET, poolKey } from '../../mta/bus/names.ts';
import type { Assignment, Statement } from '../../mta/bus/snapshot.ts';
import { createAuthority } from '../../operator/authority/authority.ts';
import { DELIVERY_NODE_OPTIONS } from '../../operator/desired/delivery-statefulset.ts';
import { EGRESS_NODE_OPTIONS } from '../../operator/desired/egress-deployment.ts';
import { ensureFleetAssets, ensurePoolAssets } from '../../operator/nats/assets.ts';
import { clientTls } from '../../process/identity/tls.ts';
import { connectTo } from './bus.ts';
import { type Nats, startNats } from './nats.ts';
import { freePorts } from './ports.ts';
import { type Postgres, startPostgres } from './postgres.ts';
import { Child, until } from './process.ts';
import { natsUsers, writeIdentity } from './rig-identities.ts';
import { type FleetPlan, POOL, snapshots } from './snapshots.ts';

const NAMESPACE = 'rig';
const MAIN = join(import.meta.dirname, '../../cli/main.ts');

export interface FleetOptions extends FleetPlan {
  readonly natsServers?: 1 | 3;
  readonly deliveries?: number;
  readonly dnsServers: readonly string[];
  readonly allowedDestinations?: string;
  /** Extra environment by role. */
  readonly env?: Partial<Record<'ingress' | 'delivery' | 'egress', NodeJS.ProcessEnv>>;
}

export interface RolePod {
  readonly name: string;
  readonly uid: string;
  readonly role: 'ingress' | 'delivery' | 'egress';
  readonly metricsPort: number;
  readonly env: NodeJS.ProcessEnv;
  /** Its latest process. */
  child: Child;
}

export interface Fleet {
  readonly nats: Nats;
  readonly postgres: Postgres;
  readonly bus: Bus;
  readonly ingress: RolePod & { readonly smtpPort: number; readonly httpsPort: number };
  readonly deliveries: readonly RolePod[];
  readonly egress: RolePod;
  readonly credentials: { readonly user: string; readonly password: string };
  /** The public DKIM keys to publish: DNS name and TXT value. */
  readonly dkimRecords: readonly { readonly name: string; readonly value: string }[];
  readonly assignment: () => Assignment;
  /** Starts a further process of the pod, as a kubelet restarts a container: the same UID, the same volume. */
  start(pod: RolePod, extra?: NodeJS.ProcessEnv): void;
  ready(pod: RolePod): Promise<unknown>;
  /** What a delivery pod says of itself to the operator. */
  statement(pod: RolePod): Promise<Statement>;
  assign(change: (current: Assignment) => Omit<Assignment, 'revision'>): Promise<void>;
  metrics(pod: RolePod): Promise<string>;
  stop(): Promise<void>;
}

/** Starts everything and resolves when each role says it is ready. */
export async function startFleet(options: FleetOptions): Promise<Fleet> {
  const folder = mkdtempSync(join(tmpdir(), 'postfleet-rig-'));
  const authority = await createAuthority();
  const identity = (
    role: 'nats' | 'operator' | 'ingress' | 'delivery' | 'egress',
    pod: string,
    pool: string | null = null,
  ) => writeIdentity(authority, join(folder, 'pki'), NAMESPACE, { role, pool, pod, uid: `${pod}-uid` });
  const nats = await startNats({
    servers: options.natsServers ?? 1,
    tlsDir: await identity('nats', 'nats'),
    extraConfig: natsUsers(),
  });
  const postgres = await startPostgres();
  const operatorDir = await identity('operator', 'operator');
  const bus = await connectTo(nats, 'operator', {
    replicas: options.natsServers ?? 1,
    identityDir: operatorDir,
  });
  const sealingKey = randomBytes(32);
  const { domain, pool, ipPool, dkimRecords } = snapshots(NAMESPACE, options, sealingKey);
  const key = poolKey(`${NAMESPACE}/${POOL}`);
  const profile = { replicas: options.natsServers ?? 1, shardMaxBytes: 1024 ** 3 };
  await until('the meta leader', () => ensureFleetAssets(bus, profile).then(() => true));
  await ensurePoolAssets(await bus.manager(), key, options.shards, pool.value.classes, profile);
  const kv = await bus.kv(FLEET_BUCKET);
  for (const { key: at, value } of [domain, pool, ipPool]) await kv.put(at, JSON.stringify(value));

  const database = openDatabase(postgres.url, { name: 'rig' });
  await migrate(database);
  await createAccount(database, 'acme');
  const { token } = await createKey(database, 'acme', 'rig');
  await database.end();

  const files = {
    tls: join(folder, 'public'),
    sealing: join(folder, 'sealing'),
    spool: (pod: string) => join(folder, 'spool', pod),
  };
  mkdirSync(files.tls);
  const served = await authority.issueLocal({
    namespace: NAMESPACE,
    role: 'ingress',
    pool: null,
    pod: 'public',
    uid: 'public',
  });
  writeFileSync(join(files.tls, 'tls.crt'), served.cert);
  writeFileSync(join(files.tls, 'tls.key'), served.key);
  writeFileSync(files.sealing, sealingKey.toString('base64'));

  const [
    metricsIngress = 0,
    smtpPort = 0,
    submissionsPort = 0,
    httpsPort = 0,
    metricsEgress = 0,
    egressPort = 0,
  ] = await freePorts(6);
  const start = async (
    role: 'ingress' | 'delivery' | 'egress',
    pod: string,
    metricsPort: number,
    identityPool: string | null,
    extra: NodeJS.ProcessEnv,
  ): Promise<RolePod> => {
    const env: NodeJS.ProcessEnv = {
      PATH: process.env.PATH,
      POSTFLEET_LOG_LEVEL: process.env.POSTFLEET_RIG_LOG ?? 'warn',
      POSTFLEET_NAMESPACE: NAMESPACE,
      POSTFLEET_POD_NAME: pod,
      POSTFLEET_POD_UID: `${pod}-uid`,
      POSTFLEET_IDENTITY_DIR: await identity(role, pod, identityPool),
      POSTFLEET_METRICS_PORT: String(metricsPort),
      POSTFLEET_DATABASE_URL: postgres.url,
      POSTFLEET_DNS_SERVERS: options.dnsServers.join(','),
      ...nats.env,
      ...extra,
      ...options.env?.[role],
    };
    return { name: pod, uid: `${pod}-uid`, role, metricsPort, env, child: launch(role, pod, env) };
  };
  const egress = await start('egress', 'egress-0', metricsEgress, POOL, {
    POSTFLEET_IP_POOL: `${NAMESPACE}/${POOL}`,
    POSTFLEET_EGRESS_PORT: String(egressPort),
    POSTFLEET_EGRESS_HOST: '127.0.0.1',
    POSTFLEET_ALLOWED_DESTINATIONS: options.allowedDestinations ?? '127.0.0.0/8',
    NODE_OPTIONS: EGRESS_NODE_OPTIONS,
  });
  const ingress = await start('ingress', 'ingress-0', metricsIngress, null, {
    POSTFLEET_SUBMISSION_PORT: String(smtpPort),
    POSTFLEET_SUBMISSIONS_PORT: String(submissionsPort),
    POSTFLEET_HTTP_PORT: String(httpsPort),
    POSTFLEET_HOSTNAME: 'mail.rig.test',
    POSTFLEET_TLS_DIR: files.tls,
    POSTFLEET_DKIM_KEY_FILE: files.sealing,
  });
  const deliveries = await Promise.all(
    Array.from({ length: options.deliveries ?? 1 }, async (_, i) => {
      const pod = `${POOL}-delivery-${i}`;
      const [metrics = 0, admin = 0] = await freePorts(2);
      mkdirSync(files.spool(pod), { recursive: true });
      return start('delivery', pod, metrics, POOL, {
        POSTFLEET_POOL: POOL,
        POSTFLEET_SPOOL_DIR: files.spool(pod),
        POSTFLEET_ADMIN_PORT: String(admin),
        NODE_OPTIONS: DELIVERY_NODE_OPTIONS,
      });
    }),
  );

  let assignment = firstAssignment(deliveries, options.shards);
  await kv.put(assignmentKey(key), JSON.stringify(assignment));
  const pods = [egress, ingress, ...deliveries];
  const fleet: Fleet = {
    nats,
    postgres,
    bus,
    ingress: Object.assign(ingress, { smtpPort, httpsPort }),
    deliveries,
    egress,
    credentials: { user: 'acme', password: token },
    dkimRecords,
    assignment: () => assignment,
    async assign(change) {
      assignment = { ...change(assignment), revision: assignment.revision + 1 };
      await kv.put(assignmentKey(key), JSON.stringify(assignment));
    },
    start(pod, extra = {}) {
      pod.child = launch(pod.role, pod.name, { ...pod.env, ...extra });
    },
    ready: waitReady,
    statement: (pod) => statementOf(pod, operatorDir),
    metrics: (pod) =>
      fetch(`http://127.0.0.1:${pod.metricsPort}/metrics`).then((response) => response.text()),
    async stop() {
      await Promise.all(pods.map((pod) => pod.child.stop('SIGTERM', 5000)));
      await bus.close();
      await nats.stop();
      await postgres.remove();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  try {
    await Promise.all(pods.map(waitReady));
  } catch (error) {
    await fleet.stop();
    throw error;
  }
  return fleet;
}

const launch = (role: string, name: string, env: NodeJS.ProcessEnv): Child =>
  new Child(process.execPath, [MAIN, role], { name, env });

async function statementOf(pod: RolePod, operatorDir: string): Promise<Statement> {
  const file = (name: string) => readFileSync(join(operatorDir, name), 'utf8');
  const own = { cert: file('tls.crt'), key: file('tls.key'), ca: file('ca.crt') };
  const sent = request({
    ...clientTls(own, { role: 'delivery', uid: pod.uid }),
    ...{ host: '127.0.0.1', port: pod.env.POSTFLEET_ADMIN_PORT, path: '/v1/statement', agent: false },
  }).end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return JSON.parse((await response.toArray()).join('')) as Statement;
}

function waitReady(pod: RolePod): Promise<unknown> {
  return until(
    `${pod.name} to be ready`,
    async () => {
      if (!pod.child.running) throw new Error(`it ended:\n${pod.child.output}`);
      const response = await fetch(`http://127.0.0.1:${pod.metricsPort}/readyz`);
      if (!response.ok) throw new Error(`${await response.text()}\n${pod.child.output.slice(-2000)}`);
      return true;
    },
    90_000,
  );
}

function firstAssignment(deliveries: readonly RolePod[], shards: number): Assignment {
  const owner = (shard: number) => {
    const pod = deliveries[shard % deliveries.length] as RolePod;
    return { pod: pod.name, uid: pod.uid, node: 'local' };
  };
  return {
    version: 1,
    pool: `${NAMESPACE}/${POOL}`,
    revision: 1,
    members: deliveries.map(({ name, uid }) => ({ pod: name, uid, cordoned: false, handOver: false })),
    shards: Array.from({ length: shards }, (_, shard) => ({
      shard,
      epoch: 1,
      owner: owner(shard),
      releasing: false,
      former: null,
    })),
  };
}
