// Five callers against one limit, as processes: some are killed, one lies in its reports, the holder of the address is killed and replaced,
// and the limit changes. The judge is the host, which knows only when each recipient came and what was open.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
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
import { FLEET_BUCKET, LEASE_BUCKET, leaseKey } from '../bus/names.ts';
import type { AddressLease } from '../bus/snapshot.ts';

const ADDRESS = '127.0.0.61';
const LIMIT = { connections: 2, perSecond: 20, perMinute: 300, connectionAttemptsPerMinute: 250 };
/** By when egress has heard of a limit that was changed. */
const HEARD_MS = 2000;
/** More than what may come until then, and is granted by then, at five a second. */
const STILL_COME = 30;
const root = mkdtempSync(join(tmpdir(), 'postfleet-limits-'));
const children: Child[] = [];
let nats: Nats;
let bus: Bus;
let authority: Authority;

beforeAll(async () => {
  [nats, authority] = await Promise.all([startNats(), createAuthority()]);
  bus = await connectTo(nats, 'operator');
  await ensureFleetAssets(bus, { replicas: 1, shardMaxBytes: 1 << 20 });
  const head = { version: 1, namespace: 'mail', uid: 'u', generation: 1 };
  const addresses = [{ address: ADDRESS, ehlo: 'out.example.com', movable: true, weight: 100 }];
  await (await bus.kv(FLEET_BUCKET)).put(
    'ippool.mail_ips',
    JSON.stringify({ ...head, name: 'ips', addresses }),
  );
  await setLimit(LIMIT);
}, 60_000);
afterAll(async () => {
  await Promise.all(children.map((child) => child.stop('SIGKILL')));
  await bus.close();
  await nats.stop();
  rmSync(root, { recursive: true, force: true });
});

async function setLimit(limits: object): Promise<void> {
  const policy = queuePolicySpec.parse({ shaping: { default: limits } });
  const head = { version: 1, namespace: 'mail', name: 'main', uid: 'u', generation: 1 };
  const pool = { ...head, shards: 8, classes: [], ipPool: 'ips', policy, intakeClosed: false };
  await (await bus.kv(FLEET_BUCKET)).put('pool.mail_main', JSON.stringify(pool));
}

/** The host: when each recipient came, and most connections at once. */
async function startHost() {
  const [times, open] = [[] as number[], new Set<Socket>()];
  let peak = 0;
  let opened = 0;
  const server = createServer((socket) => {
    opened++;
    open.add(socket);
    peak = Math.max(peak, open.size);
    socket.on('error', () => {}).once('close', () => open.delete(socket));
    socket.on('data', (lines) => {
      for (const _ of lines.toString().trimEnd().split('\n')) times.push(performance.now());
      setTimeout(() => socket.write('250 ok\n'), 5);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  return { port, times, peak: () => peak, opened: () => opened, close: () => server.close() };
}

async function startEgress(pod: string, port: number, metrics: number): Promise<Child> {
  const identity = { role: 'egress', pool: 'ips', pod, uid: `uid-${pod}` } as const;
  const child = new Child(process.execPath, [join(import.meta.dirname, '../../cli/main.ts'), 'egress'], {
    name: pod,
    env: {
      ...{ PATH: process.env.PATH, POSTFLEET_LOG_LEVEL: 'warn', ...nats.env },
      ...{ POSTFLEET_NAMESPACE: 'egress', POSTFLEET_POD_NAME: pod, POSTFLEET_POD_UID: `uid-${pod}` },
      POSTFLEET_NODE_NAME: 'node-1',
      POSTFLEET_IDENTITY_DIR: await writeIdentity(authority, root, 'mail', identity),
      ...{ POSTFLEET_METRICS_PORT: String(metrics), POSTFLEET_IP_POOL: 'mail/ips' },
      ...{ POSTFLEET_EGRESS_HOST: '127.0.0.1', POSTFLEET_EGRESS_PORT: String(port) },
      POSTFLEET_ALLOWED_DESTINATIONS: '127.0.0.0/24',
      POSTFLEET_DNS_SERVERS: '127.0.0.1:1',
    },
  });
  children.push(child);
  return child;
}

async function startCaller(uid: string, port: number, egress: readonly number[], more: string[] = []) {
  const identity = { role: 'delivery', pool: 'main', pod: `main-delivery-${uid}`, uid } as const;
  const folder = await writeIdentity(authority, root, 'mail', identity);
  const program = join(import.meta.dirname, 'caller.fixture.ts');
  const child = new Child(
    process.execPath,
    [program, folder, String(port), ADDRESS, egress.join(','), ...more],
    {
      name: uid,
      env: { PATH: process.env.PATH },
    },
  );
  children.push(child);
  return child;
}

const holderOf = async (): Promise<AddressLease | undefined> =>
  (await (await bus.kv(LEASE_BUCKET)).get(leaseKey(ADDRESS)))?.json<AddressLease>();

/** How often a holder has refused for the sake of a window. */
async function refusedFor(window: string, metrics: number): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${metrics}/metrics`)).text();
  const line = new RegExp(`^postfleet_egress_limit_refusals_total\\{.*limit="${window}".*\\} (\\d+)$`, 'm');
  return Number(line.exec(text)?.[1] ?? 0);
}

test('five callers, two of them killed, one that lies, the holder killed, the limit lowered: the host never sees more', async () => {
  const host = await startHost();
  const [port1 = 0, port2 = 0, metrics1 = 0, metrics2 = 0] = await freePorts(4);
  const first = await startEgress('e1', port1, metrics1);
  await until('the first holder', async () => (await holderOf())?.holder.pod === 'e1');
  await startEgress('e2', port2, metrics2);
  const caller = (uid: string, ...more: string[]) => startCaller(uid, host.port, [port1, port2], more);
  const [one, two] = await Promise.all([
    caller('c1'),
    caller('c2'),
    caller('c3'),
    caller('c4'),
    caller('c5', 'lies'),
  ]);
  const came = (count: number) => until(`${count} recipients`, () => host.times.length >= count, 30_000);
  await came(40);
  await Promise.all([one?.stop('SIGKILL'), two?.stop('SIGKILL')]);
  await Promise.all([caller('c6'), caller('c7')]);
  await came(80);
  const metrics = await (await fetch(`http://127.0.0.1:${metrics1}/metrics`)).text();
  expect(metrics).toMatch(
    /postfleet_egress_limit\{address="127.0.0.61",provider="127.0.0.1",window="minute"\} 300/,
  );
  expect(metrics).toMatch(
    /postfleet_egress_limit_use\{address="127.0.0.61",provider="127.0.0.1",window="minute"\} \d+/,
  );
  expect(metrics).toMatch(/postfleet_egress_limit_refusals_total\{.*provider="127.0.0.1"/);
  await first.stop('SIGKILL');
  const before = host.times.length;
  await until('the second holder', async () => (await holderOf())?.holder.pod === 'e2', 40_000);
  await came(before + 40);

  await setLimit({ ...LIMIT, perSecond: 5 });
  const slowed = performance.now();
  const late = () => host.times.filter((at) => at > slowed + HEARD_MS);
  await until('some under the lower limit', () => late().length > 20, 30_000);
  expect(mostWithin(late(), 1000)).toBeLessThanOrEqual(5);

  // What came within the last minute counts under the new limit as well: there is no fresh budget.
  const lastMinute = () => host.times.filter((at) => at > performance.now() - 60_000).length;
  const perMinute = lastMinute() + STILL_COME;
  expect(perMinute).toBeLessThan(LIMIT.perMinute);
  const refused = await refusedFor('minute', metrics2);
  await setLimit({ ...LIMIT, perMinute });
  const lowered = performance.now();
  await until('the minute to be full', async () => (await refusedFor('minute', metrics2)) > refused, 40_000);
  host.close();
  const since = host.times.filter((at) => at > lowered - 60_000);
  expect(since.length).toBeGreaterThan(perMinute / 2);
  expect(mostWithin(since, 60_000)).toBeLessThanOrEqual(perMinute);
  expect(mostWithin(host.times, 1000)).toBeLessThanOrEqual(LIMIT.perSecond);
  expect(mostWithin(host.times, 60_000)).toBeLessThanOrEqual(LIMIT.perMinute);
  expect(host.peak()).toBeLessThanOrEqual(LIMIT.connections);
}, 120_000);
