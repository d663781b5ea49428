// Three egress pods with an address each, one cap over all of them, as processes: the pod that lends is killed, the next one is stopped for
// longer than its lease and goes on. The judge is the host, which knows only when each recipient came and by which connection.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mostWithin } from '../../e2e/internet/within.ts';
import { connectTo } from '../../e2e/rig/bus.ts';
import { writeIdentity } from '../../e2e/rig/rig-identities.ts';
import { Child, freePorts, type Nats, startNats, until } from '../../e2e/rig/servers.ts';
import { type Authority, createAuthority } from '../../operator/authority/authority.ts';
import { ensureFleetAssets } from '../../operator/nats/assets.ts';
import { queuePolicySpec } from '../../resources/kinds.ts';
import type { Bus } from '../bus/client.ts';
import { FLEET_BUCKET, LEASE_BUCKET, leaseKey, lenderKey } from '../bus/names.ts';
import type { AddressLease } from '../bus/snapshot.ts';

const PODS = ['e1', 'e2', 'e3'].map((pod, at) => ({
  pod,
  node: `node-${pod}`,
  address: `127.0.0.${71 + at}`,
}));
const POOL = { connections: 3, perMinute: 60, connectionAttemptsPerMinute: 50 };
/** What the host takes for a recipient: three connections could carry twice the cap. */
const REPLY_MS = 1500;
const root = mkdtempSync(join(tmpdir(), 'postfleet-pool-caps-'));
const children: Child[] = [];
let nats: Nats;
let bus: Bus;
let authority: Authority;

beforeAll(async () => {
  [nats, authority] = await Promise.all([startNats(), createAuthority()]);
  bus = await connectTo(nats, 'operator');
  await ensureFleetAssets(bus, { replicas: 1, shardMaxBytes: 1 << 20 });
  const head = { version: 1, namespace: 'mail', uid: `u${process.pid}`, generation: 1 };
  const addresses = PODS.map(({ address, pod }) => ({
    ...{ address, ehlo: `${pod}.example.com`, movable: true, weight: 100 },
  }));
  const placement = Object.fromEntries(PODS.map(({ address, node }) => [address, [node]]));
  const ipPool = { ...head, name: 'ips', addresses, placement };
  await (await bus.kv(FLEET_BUCKET)).put('ippool.mail_ips', JSON.stringify(ipPool));
  await setCaps(POOL);
}, 60_000);
afterAll(async () => {
  for (const child of children) child.process.kill('SIGCONT');
  await Promise.all(children.map((child) => child.stop('SIGKILL')));
  await bus.close();
  await nats.stop();
  rmSync(root, { recursive: true, force: true });
});

async function setCaps(pool: object): Promise<void> {
  const policy = queuePolicySpec.parse({ shaping: { default: { connections: 10, pool } } });
  const head = { version: 1, namespace: 'mail', name: 'main', uid: 'u', generation: 1 };
  const value = { ...head, shards: 8, classes: [], ipPool: 'ips', policy, intakeClosed: false };
  await (await bus.kv(FLEET_BUCKET)).put('pool.mail_main', JSON.stringify(value));
}

/** From the first to the last recipient of each connection, and when each recipient came. */
async function startHost() {
  const times: number[] = [];
  const begun: number[] = [];
  const used: { from: number; to: number }[] = [];
  const server = createServer((socket) => {
    begun.push(performance.now());
    const use = { from: Number.POSITIVE_INFINITY, to: 0 };
    used.push(use);
    socket.on('error', () => {});
    socket.on('data', (lines) => {
      use.from = Math.min(use.from, performance.now());
      for (const _ of lines.toString().trimEnd().split('\n')) times.push(performance.now());
      setTimeout(() => {
        use.to = performance.now();
        socket.write('250 ok\n');
      }, REPLY_MS);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  /** Most connections in use at once: one of a pod that was stopped is open, and carries nothing. */
  const peak = () =>
    Math.max(
      ...used.map(({ from }) => used.filter((other) => other.from <= from && other.to > from).length),
      0,
    );
  return { port, times, begun, peak, close: () => server.close() };
}

interface Egress {
  readonly pod: string;
  readonly port: number;
  readonly metrics: number;
  child: Child;
}

async function startEgress({ pod, node }: (typeof PODS)[number], ports: readonly number[]): Promise<Egress> {
  const [port = 0, metrics = 0] = ports;
  const identity = { role: 'egress', pool: 'ips', pod, uid: `uid-${pod}` } as const;
  const child = new Child(process.execPath, [join(import.meta.dirname, '../../cli/main.ts'), 'egress'], {
    name: pod,
    env: {
      ...{ PATH: process.env.PATH, POSTFLEET_LOG_LEVEL: 'info', ...nats.env },
      ...{ POSTFLEET_NAMESPACE: 'egress', POSTFLEET_POD_NAME: pod, POSTFLEET_POD_UID: `uid-${pod}` },
      POSTFLEET_NODE_NAME: node,
      POSTFLEET_IDENTITY_DIR: await writeIdentity(authority, root, 'egress', identity),
      ...{ POSTFLEET_METRICS_PORT: String(metrics), POSTFLEET_IP_POOL: 'mail/ips' },
      ...{ POSTFLEET_EGRESS_HOST: '127.0.0.1', POSTFLEET_EGRESS_PORT: String(port) },
      POSTFLEET_ALLOWED_DESTINATIONS: '127.0.0.0/24',
      POSTFLEET_DNS_SERVERS: '127.0.0.1:1',
    },
  });
  children.push(child);
  return { pod, port, metrics, child };
}

async function startCaller(uid: string, host: number, source: string, egress: number): Promise<void> {
  const identity = { role: 'delivery', pool: 'main', pod: `main-delivery-${uid}`, uid } as const;
  const folder = await writeIdentity(authority, root, 'mail', identity);
  const program = join(import.meta.dirname, 'caller.fixture.ts');
  const args = [program, folder, String(host), source, String(egress)];
  children.push(new Child(process.execPath, args, { name: uid, env: { PATH: process.env.PATH } }));
}

const leaseOf = async (key: string): Promise<AddressLease | undefined> =>
  (await (await bus.kv(LEASE_BUCKET)).get(key))?.json<AddressLease>();
const lender = async (): Promise<string | null> => {
  const lease = await leaseOf(lenderKey('mail/ips'));
  return !lease || lease.released ? null : lease.holder.pod;
};

test('three pods under one cap, the lender killed, its successor stopped: the host never sees more', async () => {
  const host = await startHost();
  const ports = await freePorts(2 * PODS.length);
  const egress = await Promise.all(PODS.map((one, at) => startEgress(one, ports.slice(2 * at, 2 * at + 2))));
  const podOf = (name: string | null) => egress.find(({ pod }) => pod === name) as Egress;
  for (const { address, pod } of PODS)
    await until(
      `${pod} to hold ${address}`,
      async () => {
        if ((await leaseOf(leaseKey(address)))?.holder.pod === pod) return true;
        throw new Error(podOf(pod).child.output.slice(-2000));
      },
      180_000,
    );
  const callers = PODS.flatMap(({ address }, at) =>
    ['a', 'b'].map((which) => startCaller(`c${at}${which}`, host.port, address, egress[at]?.port ?? 0)),
  );
  await Promise.all(callers);
  const began = performance.now();
  const came = (count: number, ms = 60_000) =>
    until(`${count} recipients`, () => host.times.length >= count, ms);
  await came(20);

  const first = podOf(await lender());
  const metrics = await (await fetch(`http://127.0.0.1:${first.metrics}/metrics`)).text();
  expect(metrics).toMatch(/postfleet_egress_pool_limit\{provider="127.0.0.1",window="connections"\} 3/);
  expect(metrics).toMatch(/postfleet_egress_pool_limit_use\{provider="127.0.0.1",window="minute"\} \d+/);
  await first.child.stop('SIGKILL');
  await until('another lender', async () => (await lender()) !== first.pod, 15_000);
  const at = PODS.findIndex(({ pod }) => pod === first.pod);
  const again = await startEgress(PODS[at] as (typeof PODS)[number], [first.port, first.metrics]);
  first.child = again.child;
  await came(host.times.length + 30, 90_000);

  const second = podOf(await lender());
  second.child.process.kill('SIGSTOP');
  await until('a third lender', async () => (await lender()) !== second.pod, 15_000);
  await came(host.times.length + 10, 90_000);
  second.child.process.kill('SIGCONT');
  await came(host.times.length + 30, 90_000);
  const minutes = (performance.now() - began) / 60_000;
  host.close();
  const figures = {
    mostInAMinute: mostWithin(host.times, 60_000),
    mostConnections: host.peak(),
    mostBegun: mostWithin(host.begun, 60_000),
    use: host.times.length / (minutes * POOL.perMinute),
    minutes,
  };
  if (process.env.POOL_CAPS_FIGURES) console.log(figures, host.times.length);
  expect(figures.mostInAMinute).toBeLessThanOrEqual(POOL.perMinute);
  expect(figures.mostConnections).toBeLessThanOrEqual(POOL.connections);
  expect(figures.mostBegun).toBeLessThanOrEqual(POOL.connectionAttemptsPerMinute);
  expect(figures.use).toBeGreaterThan(0.5);
}, 600_000);
