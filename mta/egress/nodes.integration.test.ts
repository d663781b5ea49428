// `postfleet egress` on two nodes of a segment, with a movable address, the real kernel and a real nats-server: a rollout, a process that
// is stopped, a node that is drained. Needs root.
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kvm } from '@nats-io/kv';
import { writeIdentity } from '../../e2e/rig/rig-identities.ts';
import { Child, type Nats, startNats, until } from '../../e2e/rig/servers.ts';
import { type Authority, createAuthority } from '../../operator/authority/authority.ts';
import { type Bus, connectBus } from '../bus/client.ts';
import { FLEET_BUCKET, LEASE_BUCKET, leaseKey } from '../bus/names.ts';
import type { AddressLease } from '../bus/snapshot.ts';
import { Segment } from './segment.fixture.ts';

const ADDRESS = '198.51.100.7';
const segment = new Segment('pfn');
const root = mkdtempSync(join(tmpdir(), 'postfleet-nodes-'));
const command = join(import.meta.dirname, '../../cli/main.ts');
const doors: Server[] = [];
const pods: Child[] = [];
let nats: Nats;
let bus: Bus;
let authority: Authority;

/** NATS is on the host's loopback; the nodes reach it at the segment. */
async function door(url: string): Promise<string> {
  const { hostname, port, protocol } = new URL(url);
  const server = createServer((socket) => {
    const inner = connect(Number(port), hostname);
    socket.on('error', () => inner.destroy()).pipe(inner);
    inner.on('error', () => socket.destroy()).pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(Number(port), segment.host, resolve));
  doors.push(server);
  return `${protocol}//${segment.host}:${port}`;
}

/** A pod of the IPPool on a node; every one has ports of its own. */
async function start(uid: string, node: 0 | 1): Promise<Child & { readonly ready: () => Promise<boolean> }> {
  const identity = await writeIdentity(authority, root, 'egress', {
    role: 'egress',
    pool: 'ips',
    pod: uid,
    uid,
  });
  const port = 20_000 + 2 * pods.length;
  const env = {
    PATH: process.env.PATH,
    ...nats.env,
    POSTFLEET_NATS_URL: nats.env.POSTFLEET_NATS_URL.replace('127.0.0.1', segment.host),
    POSTFLEET_NAMESPACE: 'egress',
    POSTFLEET_POD_NAME: uid,
    POSTFLEET_POD_UID: uid,
    POSTFLEET_NODE_NAME: `node-${node}`,
    POSTFLEET_IDENTITY_DIR: identity,
    POSTFLEET_METRICS_PORT: String(port + 1),
    POSTFLEET_IP_POOL: 'mail/ips',
    POSTFLEET_EGRESS_HOST: segment.addressOf(node),
    POSTFLEET_EGRESS_PORT: String(port),
  };
  const enter = [`--net=/run/netns/${segment.nodes[node]}`, process.execPath, command, 'egress'];
  const pod = new Child('nsenter', enter, { env, name: uid });
  pods.push(pod);
  const url = `http://${segment.addressOf(node)}:${port + 1}/readyz`;
  const ready = () =>
    fetch(url, { signal: AbortSignal.timeout(1000) }).then(
      ({ ok }) => ok,
      () => false,
    );
  return Object.assign(pod, { ready });
}

const lease = async (): Promise<AddressLease | undefined> =>
  (await (await bus.kv(LEASE_BUCKET)).get(leaseKey(ADDRESS)))?.json<AddressLease>();
const holder = async (): Promise<string | null> => {
  const found = await lease();
  return !found || found.released ? null : found.holder.uid;
};
const isUp = (node: 0 | 1) => segment.addressesOf(segment.nodes[node]).includes(`${ADDRESS}/`);

beforeAll(async () => {
  segment.up(true);
  [nats, authority] = await Promise.all([startNats(), createAuthority()]);
  await door(nats.env.POSTFLEET_NATS_URL);
  await door(nats.env.POSTFLEET_NATS_MONITOR_URL.replace('{host}', '127.0.0.1'));
  const replicas = 1;
  bus = await connectBus(
    {
      POSTFLEET_NATS_URL: nats.env.POSTFLEET_NATS_URL.split(','),
      POSTFLEET_NATS_REPLICAS: replicas,
      POSTFLEET_NATS_MONITOR_URL: nats.env.POSTFLEET_NATS_MONITOR_URL,
      POSTFLEET_IDENTITY_DIR: root,
    },
    'operator',
  );
  await until('the durability proof', () => bus.obstacle() === null);
  const kvm = new Kvm(bus.js);
  await kvm.create(LEASE_BUCKET);
  const fleet = await kvm.create(FLEET_BUCKET);
  const snapshot = {
    ...{ version: 1, namespace: 'mail', name: 'ips', uid: 'u', generation: 1 },
    addresses: [{ address: ADDRESS, ehlo: 'out.example.com', movable: true, weight: 100 }],
    placement: { [ADDRESS]: ['node-0', 'node-1'] },
    bringUp: { interface: 'eth0' },
  };
  await fleet.put('ippool.mail_ips', JSON.stringify(snapshot));
}, 60_000);
afterAll(async () => {
  for (const pod of pods) {
    pod.process.kill('SIGCONT');
    await pod.stop('SIGKILL');
  }
  for (const server of doors) server.close();
  await bus?.close();
  await nats?.stop();
  segment.down();
  rmSync(root, { recursive: true, force: true });
}, 30_000);

test('an address lives through a rollout, a stopped process and a drained node', async () => {
  const first = await start('a1', 0);
  await until('the first to hold it', async () => (await holder()) === 'a1' && isUp(0), 30_000);
  const standby = await start('b1', 1);
  await until('one that stands by', () => standby.ready(), 30_000);

  // A rollout: the successor waits beside it, and the address never goes down.
  const next = await start('a2', 0);
  await until('its successor', () => next.ready(), 30_000);
  expect(await lease()).toMatchObject({ holder: { uid: 'a1' }, heir: 'a2' });
  await first.stop('SIGTERM');
  await until('the hand-over', async () => (await holder()) === 'a2', 5000);
  expect([isUp(0), isUp(1)]).toEqual([true, false]);

  // Stopped in mid-breath: the kernel takes it down, and only then the other node has it.
  next.process.kill('SIGSTOP');
  await until('the other node', async () => (await holder()) === 'b1' && isUp(1), 20_000);
  expect(isUp(0)).toBe(false);
  next.process.kill('SIGCONT');
  await until('a renewal', async () => ((await lease())?.renewals ?? 0) >= 2);
  expect([await holder(), isUp(0), isUp(1)]).toEqual(['b1', false, true]);

  // Drained: nobody follows on its node, so it is taken down before the other may have it.
  await standby.stop('SIGTERM', 30_000);
  expect([standby.process.exitCode, isUp(1)]).toEqual([0, false]);
  await until('its first node again', async () => (await holder()) === 'a2' && isUp(0), 5000);
}, 120_000);
