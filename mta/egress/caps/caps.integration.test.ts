// Two egress pods of an IPPool, an address each, in one process: over real TLS, a real nats-server and real sockets on loopback.
import { once } from 'node:events';
import { request as httpsRequest } from 'node:https';
import { createServer, type Server, type Socket } from 'node:net';
import { Kvm } from '@nats-io/kv';
import { connectTo } from '../../../e2e/rig/bus.ts';
import { type Nats, startNats, until } from '../../../e2e/rig/servers.ts';
import { type Authority, createAuthority } from '../../../operator/authority/authority.ts';
import { Readiness } from '../../../process/health.ts';
import type { Identity } from '../../../process/identity/name.ts';
import { queuePolicySpec } from '../../../resources/kinds.ts';
import type { Bus } from '../../bus/client.ts';
import { FLEET_BUCKET, LEASE_BUCKET, LIMITS_BUCKET, poolLimitsKey } from '../../bus/names.ts';
import type { PairRecord } from '../../policy/limits/pair.ts';
import { monotonicClock } from '../clock.ts';
import { LEASE_TIMES } from '../hold.ts';
import { type Role, startRole } from '../role.ts';

const PODS = [
  { name: 'a', address: '127.0.0.81' },
  { name: 'b', address: '127.0.0.82' },
] as const;
const head = { version: 1, namespace: 'mail', uid: `u${process.pid}`, generation: 1 } as const;
const delivery: Identity = { namespace: 'mail', role: 'delivery', pool: 'main', pod: 'main-0', uid: 'd' };
const sockets: Socket[] = [];
let nats: Nats;
let bus: Bus;
let authority: Authority;
let host: Server;
let a: Role;
let b: Role;
let obstacle: string | null = null;

beforeAll(async () => {
  [nats, authority] = await Promise.all([startNats(), createAuthority()]);
  bus = await connectTo(nats, 'egress');
  await until('the durability proof', () => bus.obstacle() === null);
  const kvm = new Kvm(bus.js);
  for (const bucket of [LEASE_BUCKET, LIMITS_BUCKET, FLEET_BUCKET]) await kvm.create(bucket);
  const addresses = PODS.map(({ name, address }) => ({
    ...{ address, ehlo: `${name}.example.com`, movable: false, weight: 100 },
  }));
  const placement = Object.fromEntries(PODS.map(({ name, address }) => [address, [name]]));
  const fleet = await bus.kv(FLEET_BUCKET);
  await fleet.put('ippool.mail_ips', JSON.stringify({ ...head, name: 'ips', addresses, placement }));
  host = createServer((socket) => void socket.on('error', () => {}).resume()).listen(0, '127.0.0.1');
  await once(host, 'listening');
  [a, b] = (await Promise.all(PODS.map(({ name }) => start(name)))) as [Role, Role];
  await until(
    'both addresses',
    () => PODS.every(({ address }, at) => [a, b][at]?.keepers.grants(address)),
    40_000,
  );
}, 90_000);
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await until('all to be closed', () => a.egress.connections.count() + b.egress.connections.count() === 0);
});
afterAll(async () => {
  await Promise.all([a?.close(0), b?.close(0)]);
  host.close();
  await bus.close();
  await nats.stop();
}, 30_000);

async function start(name: string): Promise<Role> {
  const tls = await authority.issueFor({
    ...delivery,
    namespace: 'egress',
    role: 'egress',
    pool: 'ips',
    pod: name,
    uid: name,
  });
  return startRole({
    settings: {
      ...{ POSTFLEET_IP_POOL: 'mail/ips', POSTFLEET_EGRESS_HOST: '127.0.0.1', POSTFLEET_EGRESS_PORT: 0 },
      ...{ POSTFLEET_ALLOWED_DESTINATIONS: ['127.0.0.0/24'], POSTFLEET_POD_NAME: name },
      ...{ POSTFLEET_POD_UID: name, POSTFLEET_NODE_NAME: name },
    },
    tls: () => tls,
    bus: { kv: bus.kv, obstacle: () => obstacle },
    resolve: async () => ['127.0.0.1'],
    readiness: new Readiness(),
    clock: monotonicClock,
    times: LEASE_TIMES,
    ...{ connectTimeoutMs: 2000, idleMs: 60_000, halfClosedMs: 300 },
  });
}

async function setCaps(pool: object | undefined): Promise<void> {
  const policy = queuePolicySpec.parse({ shaping: { default: { connections: 10, pool } } });
  const value = { ...head, name: 'main', shards: 8, classes: [], ipPool: 'ips', policy, intakeClosed: false };
  await (await bus.kv(FLEET_BUCKET)).put('pool.mail_main', JSON.stringify(value));
}

async function connect(role: Role, recipients = 1, site = 'mx.one.test') {
  const { port } = host.address() as { port: number };
  const request = httpsRequest({
    ...(await authority.issueFor(delivery)),
    ...{ host: '127.0.0.1', port: role.port, servername: 'egress.postfleet.internal', agent: false },
    ...{ method: 'CONNECT', path: `${site}:${port}` },
    headers: {
      'postfleet-source': PODS[role === a ? 0 : 1].address,
      'postfleet-domain': site,
      'postfleet-epochs': '',
      'postfleet-recipients': String(recipients),
    },
  });
  request.end();
  const [response, socket] = await once(request, 'connect');
  sockets.push(socket);
  socket.on('error', () => {});
  return {
    status: response.statusCode as number,
    reason: response.headers['postfleet-reason'] as string | undefined,
    messages: Number(response.headers['postfleet-messages']),
    socket: socket as Socket,
  };
}
const granted = (role: Role, site?: string) =>
  until(
    'a grant',
    async () => {
      const answer = await connect(role, 1, site);
      return answer.status === 200 ? answer : null;
    },
    20_000,
  );

async function loans(who: Identity, ipPool = 'mail/ips'): Promise<number> {
  const request = httpsRequest({
    ...(await authority.issueFor(who)),
    ...{ host: '127.0.0.1', port: a.port, servername: 'egress.postfleet.internal', agent: false },
    ...{ method: 'POST', path: '/v1/loans' },
  });
  request.end(JSON.stringify({ ipPool, questions: [] }));
  const [response] = await once(request, 'response');
  response.resume();
  return response.statusCode;
}

test('a share goes from the pod that has it to the one that wants it, and never both have it', async () => {
  await setCaps({ connections: 2 });
  const [one, other] = [await granted(a), await granted(a)];
  const full = await connect(b);
  expect(full).toMatchObject({ status: 429, reason: 'PoolConnectionLimit' });
  one.socket.destroy();
  other.socket.destroy();
  await granted(b);
  const open = a.egress.connections.count() + b.egress.connections.count();
  expect(open).toBeLessThanOrEqual(2);
}, 60_000);

test('a slice is written before it is lent; a lower cap holds within two seconds, over the same history', async () => {
  await setCaps({ perHour: 100 });
  const site = 'mx.two.test';
  await granted(a, site);
  await granted(b, site);
  const kv = await bus.kv(LIMITS_BUCKET);
  const record = (await kv.get(poolLimitsKey('mail/ips', 'two.test')))?.json<PairRecord>();
  expect(record?.messages.reserved).toBeGreaterThanOrEqual(2);
  await setCaps({ perHour: 2 });
  const changed = performance.now();
  await until('the refusal', async () => (await connect(a, 1, site)).reason === 'PoolRateLimit');
  await until('the other pod’s', async () => (await connect(b, 1, site)).reason === 'PoolRateLimit');
  expect(performance.now() - changed).toBeLessThan(2000);
}, 60_000);

test('only egress pods of the same IPPool may ask', async () => {
  const egress = { ...delivery, namespace: 'egress', role: 'egress' } as const;
  expect(await loans(delivery)).toBe(403);
  expect(await loans({ ...egress, pool: 'other' })).toBe(403);
  expect(await loans({ ...egress, pool: 'ips' }, 'elsewhere/ips')).toBe(403);
  expect([200, 421]).toContain(await loans({ ...egress, pool: 'ips' }));
});

test('without NATS what is lent lasts until its end; then nothing passes, where there is a cap', async () => {
  await setCaps({ connections: 2 });
  const site = 'mx.three.test';
  const { socket } = await granted(a, site);
  obstacle = 'away';
  await once(socket.resume(), 'close');
  expect(await connect(a, 1, site)).toMatchObject({ status: 429, reason: 'PoolConnectionLimit' });
  await setCaps(undefined);
  await until('a grant without a cap', async () => (await connect(a, 1, site)).status === 200);
  obstacle = null;
}, 60_000);
