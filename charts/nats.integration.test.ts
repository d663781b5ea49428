// The chart's NATS configuration in three real servers: they form a cluster that strangers cannot join, and each role may do what it
// must and nothing else.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { freePorts } from '../e2e/rig/ports.ts';
import { binFolder, Child, until } from '../e2e/rig/process.ts';
import { writeIdentity } from '../e2e/rig/rig-identities.ts';
import { type Bus, connectBus } from '../mta/bus/client.ts';
import { fileComplaint } from '../mta/bus/complaint.ts';
import {
  BOUNCE_STREAM,
  COMPLAINTS_BUCKET,
  complaintKeys,
  FLEET_BUCKET,
  LEASE_BUCKET,
  mailStream,
  mailSubject,
  memorySubject,
  poolKey,
  WARMUP_BUCKET,
  warmupKey,
} from '../mta/bus/names.ts';
import { encodeChunk, packId } from '../mta/delivery/memory/chunk.ts';
import { readMemory } from '../mta/delivery/memory/reader.ts';
import type { HopId } from '../mta/message/parcel.ts';
import { type Authority, createAuthority } from '../operator/authority/authority.ts';
import { ensureFleetAssets, ensurePoolAssets } from '../operator/nats/assets.ts';
import type { Role } from '../process/identity/name.ts';
import { renderChart } from './render.ts';

const HOSTS = ['127.0.0.1', '127.0.0.2', '127.0.0.3'];
const POOL = poolKey('mail/demo');
const PROFILE = { replicas: 3, shardMaxBytes: 1 << 20 };
const folder = mkdtempSync(join(tmpdir(), 'postfleet-chart-nats-'));
const servers: Child[] = [];
const buses: Bus[] = [];
let authority: Authority;
let ports: { client: number; routes: number; monitor: number };

const identity = (role: Role): Promise<string> =>
  writeIdentity(authority, folder, 'mail', { role, pool: 'demo', pod: role, uid: role });

/** The chart's file, with the pod's places put here. */
function configFile(n: number, tls: string): string {
  const config = renderChart().find(
    ({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === 'postfleet-nats',
  );
  const text = HOSTS.reduce(
    (conf, host, i) =>
      conf.replace(`postfleet-nats-${i}.postfleet-nats.mail.svc:6222`, `${host}:${ports.routes}`),
    String(config?.data['nats.conf']),
  )
    .replaceAll('/var/run/postfleet-tls', tls)
    .replace('/data', join(folder, `data-${n}`))
    .replace('0.0.0.0:4222', `${HOSTS[n]}:${ports.client}`)
    .replace('0.0.0.0:6222', `${HOSTS[n]}:${ports.routes}`)
    .replace('0.0.0.0:8222', `${HOSTS[n]}:${ports.monitor}`);
  const file = join(folder, `nats-${n}-${tls.split('/').at(-1)}.conf`);
  writeFileSync(file, text);
  return file;
}

const startServer = (n: number, tls: string, name = `n${n}`): Child => {
  mkdirSync(join(folder, `data-${n}`), { recursive: true });
  const child = new Child(join(binFolder(), 'nats-server'), ['--config', configFile(n, tls)], {
    name: `nats-server ${n}`,
    env: { POD_NAME: name },
  });
  servers.push(child);
  return child;
};

const busOf = async (role: Role): Promise<Bus> => {
  const settings = {
    POSTFLEET_NATS_URL: HOSTS.map((host) => `tls://${host}:${ports.client}`),
    POSTFLEET_NATS_REPLICAS: 3,
    POSTFLEET_NATS_MONITOR_URL: `https://{host}:${ports.monitor}`,
    POSTFLEET_IDENTITY_DIR: await identity(role),
  };
  const bus = await connectBus(settings, role);
  buses.push(bus);
  await until(`${role} to trust NATS`, () => bus.obstacle() === null);
  return bus;
};

let operator: Bus;
let ingress: Bus;
let delivery: Bus;
let egress: Bus;

beforeAll(async () => {
  authority = await createAuthority();
  const [client = 0, routes = 0, monitor = 0] = await freePorts(3);
  ports = { client, routes, monitor };
  const tls = await identity('nats');
  for (const n of HOSTS.keys()) startServer(n, tls);
  operator = await busOf('operator');
  await until('a leader', async () => (await operator.manager()).streams.names().next(), 30_000);
  await ensureFleetAssets(operator, PROFILE);
  await ensurePoolAssets(await operator.manager(), POOL, 1, [{ name: 'bulk' }], PROFILE);
  [ingress, delivery, egress] = await Promise.all([busOf('ingress'), busOf('delivery'), busOf('egress')]);
}, 90_000);

afterAll(async () => {
  await Promise.all(buses.map((bus) => bus.close()));
  await Promise.all(servers.map((server) => server.stop('SIGKILL')));
  rmSync(folder, { recursive: true, force: true });
});

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const bulk = mailSubject(POOL, 0, 'bulk');
const transfer = mailSubject(POOL, 0, 'transfer');

/** Whether NATS refuses a publish; a refusal comes as an error of the connection, so the request is given up soon. */
const refused = async (nc: NatsConnection, subject: string): Promise<boolean> => {
  const denied = permissionError(nc, subject);
  nc.publish(subject, text('x'));
  await nc.flush();
  return Promise.race([denied, nc.flush().then(() => false)]);
};

async function permissionError(nc: NatsConnection, subject: string): Promise<boolean> {
  for await (const status of nc.status())
    if (status.type === 'error' && String(status.error).includes(subject)) return true;
  return false;
}

async function receiveOne(bus: Bus, stream: string, consumer: string): Promise<string> {
  const handle = await bus.js.consumers.get(stream, consumer);
  const message = await handle.next({ expires: 5000 });
  expect(await message?.ackAck()).toBe(true);
  return message?.string() ?? '';
}

test('mail goes from ingress to delivery, transfers from delivery to delivery, bounces back to ingress', async () => {
  await ingress.js.publish(bulk, text('mail'), { msgID: '1' });
  expect(await receiveOne(delivery, mailStream(POOL, 0), 'bulk')).toBe('mail');
  await delivery.js.publish(transfer, text('moved'), { msgID: '2' });
  expect(await receiveOne(delivery, mailStream(POOL, 0), 'transfer')).toBe('moved');
  await delivery.js.publish('bounce.mail_demo', text('bounce'), { msgID: '3' });
  expect(await receiveOne(ingress, BOUNCE_STREAM, 'ingress')).toBe('bounce');
});

test('a delivery pod writes and reads the memory of a shard, and may follow nothing else', async () => {
  const shard = memorySubject(POOL, 0);
  await delivery.js.publish(shard, encodeChunk([packId('0f'.repeat(16) as HopId)]));
  const ids = await readMemory(delivery, POOL, 0);
  expect([ids.size, ids.has(packId('0f'.repeat(16) as HopId))]).toEqual([1, true]);
  expect((await readMemory(delivery, POOL, 1)).size).toBe(0);
  for (const stream of [mailStream(POOL, 0), BOUNCE_STREAM])
    expect(await refused(delivery.nc, `$JS.API.CONSUMER.CREATE.${stream}.spy.mail.>`)).toBe(true);
});

test('the operator writes the fleet snapshot, and all read it and follow it', async () => {
  await (await operator.kv(FLEET_BUCKET)).put('pool.mail_demo', 'one');
  for (const bus of [ingress, delivery, egress]) {
    const kv = await bus.kv(FLEET_BUCKET);
    expect((await kv.get('pool.mail_demo'))?.string()).toBe('one');
    const watch = await kv.watch({ key: 'pool.mail_demo' });
    for await (const entry of watch) {
      expect(entry.string()).toBe('one');
      break;
    }
  }
});

test('egress holds leases, and delivery reads them', async () => {
  const kv = await egress.kv(LEASE_BUCKET);
  const revision = await kv.create('address.192.0.2.1', 'held');
  await kv.update('address.192.0.2.1', 'again', revision);
  expect((await (await delivery.kv(LEASE_BUCKET)).get('address.192.0.2.1'))?.string()).toBe('again');
});

test('egress keeps warm-up ledgers, and the operator reads and deletes them', async () => {
  const key = warmupKey('2001:db8::1', 'google');
  const kv = await egress.kv(WARMUP_BUCKET);
  const revision = await kv.create(key, 'day 1');
  await kv.update(key, 'day 2', revision);
  const seen = await operator.kv(WARMUP_BUCKET);
  const entry = await seen.get(key);
  expect(entry?.string()).toBe('day 2');
  await seen.delete(key, { previousSeq: entry?.revision ?? 0 });
  expect((await kv.get(key))?.operation).toBe('DEL');
});

test('ingress files complaints, and egress counts them', async () => {
  const complaint = { version: 1, address: '192.0.2.1', provider: 'google', id: '<1@fbl.example>' } as const;
  expect(await fileComplaint(ingress, complaint)).toBe(true);
  expect(await fileComplaint(ingress, complaint)).toBe(false);
  const watch = await (await egress.kv(COMPLAINTS_BUCKET)).watch({ key: [complaintKeys('192.0.2.1')] });
  for await (const entry of watch) {
    expect(entry.json()).toEqual(complaint);
    break;
  }
});

test.each<readonly [Role, string]>([
  ['delivery', '$KV.complaints.complaint.192.0.2.1.google.x'],
  ['egress', '$KV.complaints.complaint.192.0.2.1.google.x'],
  ['delivery', '$KV.warmup.warmup.192.0.2.1.google'],
  ['ingress', '$KV.warmup.warmup.192.0.2.1.google'],
  ['ingress', transfer],
  ['ingress', '$KV.fleet.pool.mail_demo'],
  ['ingress', '$KV.leases.address.192.0.2.1'],
  ['ingress', `$JS.API.STREAM.MSG.GET.${mailStream(POOL, 0)}`],
  ['ingress', `$JS.API.CONSUMER.MSG.NEXT.${mailStream(POOL, 0)}.bulk`],
  ['ingress', memorySubject(POOL, 0)],
  ['delivery', bulk],
  ['delivery', '$KV.leases.address.192.0.2.1'],
  ['delivery', '$JS.API.STREAM.PURGE.BOUNCES'],
  ['delivery', '$JS.API.CONSUMER.MSG.NEXT.BOUNCES.ingress'],
  ['egress', bulk],
  ['egress', '$KV.fleet.pool.mail_demo'],
  ['egress', `$JS.API.STREAM.MSG.GET.${mailStream(POOL, 0)}`],
  ['egress', `$JS.API.CONSUMER.MSG.NEXT.${mailStream(POOL, 0)}.bulk`],
  ['egress', '$JS.API.STREAM.DELETE.KV_fleet'],
  ['operator', bulk],
  ['operator', `$JS.API.CONSUMER.MSG.NEXT.${mailStream(POOL, 0)}.bulk`],
])('%s may not publish %s', async (role, subject) => {
  const bus = { ingress, delivery, egress, operator }[role as 'ingress'];
  expect(await refused(bus.nc, subject)).toBe(true);
});

test('what a role may publish is not counted as refused', async () => {
  expect(await refused(ingress.nc, bulk)).toBe(false);
  expect(await refused(egress.nc, '$KV.leases.address.192.0.2.9')).toBe(false);
});

test('no role can listen to what another is answered', async () => {
  for (const subject of ['_INBOX_delivery.>', 'mail.>', '>']) {
    const subscription = egress.nc.subscribe(subject);
    await expect(
      (async () => {
        for await (const _ of subscription) return 'heard';
      })(),
    ).rejects.toThrow(/permission/i);
  }
});

test('a certificate without a user of its own is refused, and so is none', async () => {
  const gateway = await identity('gateway');
  const file = (name: string): string => join(gateway, name);
  const options = { servers: `${HOSTS[0]}:${ports.client}`, reconnect: false, timeout: 5000 };
  const tls = { certFile: file('tls.crt'), keyFile: file('tls.key'), caFile: file('ca.crt') };
  await expect(connect({ ...options, tls })).rejects.toThrow(/authorization/i);
  await expect(connect({ ...options, tls: { caFile: tls.caFile } })).rejects.toThrow();
});

test('a pod that is no NATS server cannot join the cluster', async () => {
  const egressTls = await writeIdentityWithoutHosts('egress');
  await servers[2]?.stop('SIGKILL');
  const intruder = startServer(2, egressTls, 'intruder');
  await until('the servers to refuse it', () =>
    servers
      .slice(0, 2)
      .some((server) =>
        /TLS route handshake error|did not match|known URL|authentication error/i.test(server.output),
      ),
  );
  expect(servers[0]?.output).not.toContain('intruder');
  await intruder.stop('SIGKILL');
}, 60_000);

/** As the operator certifies pods: the role's name only. */
async function writeIdentityWithoutHosts(role: Role): Promise<string> {
  const target = join(folder, `pod-${role}`);
  mkdirSync(target);
  const { cert, key, ca } = await authority.issueFor({
    namespace: 'mail',
    role,
    pool: 'demo',
    pod: 'p',
    uid: 'u',
  });
  writeFileSync(join(target, 'tls.crt'), cert);
  writeFileSync(join(target, 'tls.key'), key);
  writeFileSync(join(target, 'ca.crt'), ca);
  return target;
}
