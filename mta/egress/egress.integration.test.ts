// Egress over real TLS, a real nats-server and real sockets on loopback.
import { once } from 'node:events';
import { request as httpsRequest } from 'node:https';
import { createServer, type Server, type Socket } from 'node:net';
import { Kvm } from '@nats-io/kv';
import { connectTo } from '../../e2e/rig/bus.ts';
import { type Nats, startNats, until } from '../../e2e/rig/servers.ts';
import { type Authority, createAuthority } from '../../operator/authority/authority.ts';
import { Readiness } from '../../process/health.ts';
import type { Identity } from '../../process/identity/name.ts';
import { queuePolicySpec } from '../../resources/kinds.ts';
import type { Bus } from '../bus/client.ts';
import {
  COMPLAINTS_BUCKET,
  FLEET_BUCKET,
  LEASE_BUCKET,
  LIMITS_BUCKET,
  leaseKey,
  poolKey,
} from '../bus/names.ts';
import type { AddressLease, Assignment } from '../bus/snapshot.ts';
import { monotonicClock } from './clock.ts';
import { type Role, startRole } from './role.ts';

const [FIRST, SECOND] = ['127.0.0.21', '127.0.0.22'];
const TIMES = { leaseMs: 1500, renewMs: 200, marginMs: 200, pollMs: 50, standbyMs: 300 };
// Its own uid: the locks of a node are named by it, and another checkout may run this test at the same time.
const base = { version: 1, namespace: 'mail', uid: `u${process.pid}`, generation: 1 } as const;
const pod = (uid: string, more: Partial<Identity> = {}): Identity => ({
  ...{ namespace: 'mail', role: 'delivery', pool: 'main', pod: `main-delivery-${uid}`, uid },
  ...more,
});

let nats: Nats;
let bus: Bus;
let authority: Authority;
/** The snapshot as it was at first, whatever a test that failed has left. */
let restore = async () => {};
const roles: Role[] = [];
const sinks: Server[] = [];

beforeAll(async () => {
  [nats, authority] = await Promise.all([startNats(), createAuthority()]);
  bus = await connectTo(nats, 'egress');
  await until('the durability proof', () => bus.obstacle() === null);
  const kvm = new Kvm(bus.js);
  await kvm.create(LEASE_BUCKET);
  await kvm.create(LIMITS_BUCKET);
  await kvm.create(COMPLAINTS_BUCKET);
  const fleet = await kvm.create(FLEET_BUCKET);
  const policy = queuePolicySpec.parse({
    shaping: {
      default: { connections: 2, messagesPerConnection: 7 },
      providers: [{ name: 'hourly', mxSuffixes: ['hourly.test'], limits: { perHour: 2 } }],
    },
  });
  const put = (key: string, value: unknown) => fleet.put(key, JSON.stringify(value));
  const address = (one: string, n: number) => ({
    address: one,
    ehlo: `out${n}.example.com`,
    movable: true,
    weight: 100,
  });
  const ips = { ...base, name: 'ips', addresses: [address(FIRST, 1), address(SECOND, 2)] };
  restore = async () => {
    const now = (await fleet.get('ippool.mail_ips'))?.string();
    if (now !== JSON.stringify(ips)) await put('ippool.mail_ips', ips);
  };
  await restore();
  await put('ippool.mail_away', { ...base, name: 'away', addresses: [address('198.51.100.77', 1)] });
  await put('pool.mail_main', {
    ...base,
    name: 'main',
    shards: 8,
    classes: [],
    ipPool: 'ips',
    policy,
    intakeClosed: false,
  });
});
afterEach(async () => {
  await restore();
  await Promise.all(roles.splice(0).map((role) => role.close(0)));
  // One that is closed without patience leaves word in its leases of what was still open, and who comes next would count it.
  const leases = await bus.kv(LEASE_BUCKET);
  for (const address of [FIRST, SECOND]) await leases.purge(leaseKey(address));
  for (const sink of sinks.splice(0)) sink.close();
});
afterAll(async () => {
  await bus.close();
  await nats.stop();
});

async function start(
  name: string,
  ipPool = 'mail/ips',
): Promise<Role & { readiness: Readiness; tell: { nats: string | null } }> {
  const tell = { nats: null as string | null };
  const readiness = new Readiness();
  const tls = await authority.issueFor({
    ...{ namespace: 'egress', role: 'egress', pool: 'ips', pod: name, uid: `uid-${name}` },
  });
  const role = await startRole({
    settings: {
      POSTFLEET_IP_POOL: ipPool,
      POSTFLEET_EGRESS_HOST: '127.0.0.1',
      POSTFLEET_EGRESS_PORT: 0,
      POSTFLEET_ALLOWED_DESTINATIONS: ['127.0.0.0/24'],
      POSTFLEET_POD_NAME: name,
      POSTFLEET_POD_UID: `uid-${name}`,
      POSTFLEET_NODE_NAME: 'node-1',
    },
    tls: () => tls,
    bus: { kv: bus.kv, obstacle: () => tell.nats },
    resolve: async (host) =>
      host === 'nothing.test' ? [] : host === 'inside.test' ? ['10.0.0.1'] : ['127.0.0.1'],
    readiness,
    clock: monotonicClock,
    times: TIMES,
    connectTimeoutMs: 2000,
    idleMs: 10_000,
    halfClosedMs: 300,
  });
  roles.push(role);
  return Object.assign(role, { readiness, tell });
}
const holding = async (name: string) => {
  const role = await start(name);
  await until('both addresses', () => {
    if (role.keepers.obstacle) throw new Error(role.keepers.obstacle);
    return role.keepers.grants(FIRST) && role.keepers.grants(SECOND);
  });
  return role;
};

/** A server that gives each connection to `handle`; returns its port and what it saw. */
async function sink(handle: (socket: Socket) => void = (socket) => socket.resume()) {
  const sockets: Socket[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    handle(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  sinks.push(server);
  return { port: (server.address() as { port: number }).port, sockets };
}

interface Answer {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly socket: Socket;
}
async function connect(
  role: Role,
  target: string,
  who: Identity,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const request = httpsRequest({
    ...(await authority.issueFor(who)),
    host: '127.0.0.1',
    port: role.port,
    servername: 'egress.postfleet.internal',
    method: 'CONNECT',
    path: target,
    agent: false,
    headers: {
      'postfleet-source': FIRST,
      'postfleet-domain': 'example.org',
      'postfleet-epochs': '',
      ...headers,
    },
  });
  return new Promise((resolve, reject) => {
    request.once('error', reject);
    request.once('connect', (response, socket) => {
      (socket as Socket).on('error', () => {});
      resolve({ status: response.statusCode ?? 0, headers: response.headers, socket: socket as Socket });
    });
    request.end();
  });
}
async function fence(role: Role, who: Identity, body: unknown): Promise<{ status: number; body: unknown }> {
  const request = httpsRequest({
    ...(await authority.issueFor(who)),
    ...{ host: '127.0.0.1', port: role.port, servername: 'egress.postfleet.internal', agent: false },
    ...{ method: 'POST', path: '/v1/fence' },
  });
  request.end(JSON.stringify(body));
  const [response] = await once(request, 'response');
  const chunks = await response.toArray();
  return { status: response.statusCode, body: JSON.parse(Buffer.concat(chunks).toString()) };
}
const lease = async (address: string): Promise<AddressLease> => {
  const entry = await (await bus.kv(LEASE_BUCKET)).get(leaseKey(address));
  return (entry as NonNullable<typeof entry>).json();
};

test('a grant: connected from the asked address, with name, limits and peer', async () => {
  const { port, sockets } = await sink((socket) => socket.write('220 sink\r\n'));
  const role = await holding('e1');
  const { status, headers, socket } = await connect(role, `mx.test:${port}`, pod('p1'), {
    'postfleet-source': SECOND,
  });
  expect(status).toBe(200);
  expect(headers).toMatchObject({
    'postfleet-messages': '7',
    'postfleet-seconds': '120',
    'postfleet-provider': 'mx.test',
    'postfleet-ehlo': 'out2.example.com',
    'postfleet-peer': '127.0.0.1',
  });
  expect(String(await once(socket, 'data'))).toBe('220 sink\r\n');
  expect(sockets[0]?.remoteAddress).toBe(SECOND);
  expect(role.readiness.obstacles).toEqual([]);
  expect(await lease(SECOND)).toMatchObject({
    holder: { uid: 'uid-e1', host: '127.0.0.1', port: role.port },
  });
  socket.destroy();
});

test('the limit is exact for all pods, and a slot comes back however the connection ended', async () => {
  const { port, sockets } = await sink();
  const role = await holding('e1');
  const ask = (uid: string) => connect(role, `mx.test:${port}`, pod(uid));
  const [a, b] = [await ask('p1'), await ask('p2')];
  expect([a.status, b.status]).toEqual([200, 200]);
  const full = await ask('p3');
  expect(full).toMatchObject({
    status: 429,
    headers: { 'retry-after': '1', 'postfleet-reason': 'ConnectionLimit' },
  });
  const elsewhere = await connect(role, `mx.test:${port}`, pod('p3'), { 'postfleet-source': SECOND });
  expect(elsewhere.status).toBe(200);
  const held = () => role.egress.connections.count((one) => one.address === FIRST);
  a.socket.destroy();
  await until('the slot of a caller that vanished', () => held() === 1);
  sockets[1]?.resetAndDestroy();
  await until('the slot of a remote that reset', () => held() === 0);
  const nobody = await connect(role, '127.0.0.1:1', pod('p1'));
  expect(nobody).toMatchObject({ status: 502, headers: { 'postfleet-reason': 'ConnectFailed' } });
  expect(role.egress.connections.count((one) => one.address === FIRST)).toBe(0);
});

test.each([
  ['another role', pod('p1', { role: 'ingress' }), 'mx.test', {}, 403, 'ForbiddenCaller'],
  ['another pool', pod('p1', { pool: 'stranger' }), 'mx.test', {}, 403, 'ForbiddenCaller'],
  ['an inner address', pod('p1'), '10.0.0.1', {}, 403, 'ForbiddenDestination'],
  ['a name that leads inside', pod('p1'), 'inside.test', {}, 403, 'ForbiddenDestination'],
  ['a name without address', pod('p1'), 'nothing.test', {}, 502, 'NoSuchHost'],
  ['an address of no one', pod('p1'), 'mx.test', { 'postfleet-source': '127.0.0.99' }, 421, 'NotHolder'],
  ['a broken header', pod('p1'), 'mx.test', { 'postfleet-epochs': 'x' }, 400, 'BadRequest'],
])('%s is refused', async (_what, who, host, headers, status, reason) => {
  const role = await holding('e1');
  const answer = await connect(role, `${host}:25`, who, headers);
  expect(answer).toMatchObject({ status, headers: { 'postfleet-reason': reason } });
});

test('a certificate of another authority does not get in', async () => {
  const role = await holding('e1');
  const [stranger, ours] = [await (await createAuthority()).issueFor(pod('p1')), authority.ca];
  const request = httpsRequest({
    ...{ ...stranger, ca: ours, host: '127.0.0.1', port: role.port, servername: 'egress.postfleet.internal' },
    ...{ method: 'POST', path: '/v1/fence', agent: false },
  });
  request.end('{}');
  await expect(once(request, 'response')).rejects.toThrow();
});

test('an address this machine does not have is not held and not leased; another machine may have it', async () => {
  const role = await start('e2', 'mail/away');
  await until('the reason', () => role.keepers.unheld[0]?.includes('does not have'));
  expect(role.keepers.unheld).toEqual(['198.51.100.77: this machine does not have the address']);
  await until('its readiness', () => role.readiness.obstacles.length === 0);
  expect(await (await bus.kv(LEASE_BUCKET)).get(leaseKey('198.51.100.77'))).toBeNull();
});

test('a fence closes every connection of that pod before it answers, and it gets no other', async () => {
  const { port, sockets } = await sink();
  const role = await holding('e1');
  const [old, other] = [
    await connect(role, `mx.test:${port}`, pod('old'), { 'postfleet-epochs': '0:1' }),
    await connect(role, `mx.test:${port}`, pod('p2')),
  ];
  await until('both at the sink', () => sockets.length === 2);
  const request = { pool: 'mail/main', shard: 0, epoch: 2, uid: 'old' };
  expect((await fence(role, pod('p2', { pool: 'else' }), request)).status).toBe(403);
  expect((await fence(role, pod('p2', { role: 'operator' }), request)).status).toBe(403);
  expect((await fence(role, pod('p2'), { ...request, shard: -1 })).status).toBe(400);
  expect(await fence(role, pod('p2'), request)).toEqual({ status: 200, body: { closed: 1 } });
  expect(role.egress.connections.count((one) => one.uid === 'old')).toBe(0);
  await until(
    'the end at the caller',
    () => old.socket.destroyed || old.socket.readableEnded || !old.socket.resume(),
  );
  expect(other.socket.destroyed).toBe(false);
  const again = await connect(role, `mx.test:${port}`, pod('old'));
  expect(again).toMatchObject({ status: 409, headers: { 'postfleet-reason': 'StaleEpoch' } });
  const stale = await connect(role, `mx.test:${port}`, pod('p3'), { 'postfleet-epochs': '0:1' });
  expect(stale).toMatchObject({ status: 409, headers: { 'postfleet-reason': 'StaleEpoch' } });
  expect((await fence(role, pod('p3'), { ...request, epoch: 1 })).status).toBe(409);
  other.socket.destroy();
});

test('an assignment that gives a lost pod’s shards away fences it', async () => {
  const { port } = await sink();
  const role = await holding('e1');
  await connect(role, `mx.test:${port}`, pod('lost'));
  const assignment: Assignment = {
    ...{ version: 1, pool: 'mail/main', revision: 4, members: [] },
    shards: [{ shard: 5, epoch: 9, owner: null, releasing: false, former: { uid: 'lost', stated: false } }],
  };
  await (await bus.kv(FLEET_BUCKET)).put('assignment.mail_main', JSON.stringify(assignment));
  await until('the fence', () => role.egress.epochs.isFenced('lost'));
  await until('its connection to end', () => role.egress.connections.count() === 0);
  expect((await connect(role, `mx.test:${port}`, pod('p1'), { 'postfleet-epochs': '5:8' })).status).toBe(409);
});

test('half-close: the remote answers after the caller has ended, and the other way round', async () => {
  const { port } = await sink((socket) => {
    let heard = '';
    socket.on('data', (chunk) => {
      heard += chunk;
    });
    socket.on('end', () => socket.end(`heard ${heard}`));
  });
  const role = await holding('e1');
  const { socket } = await connect(role, `mx.test:${port}`, pod('p1'));
  socket.end('QUIT\r\n');
  expect(Buffer.concat(await socket.toArray()).toString()).toBe('heard QUIT\r\n');
  await until('the slot', () => role.egress.connections.count() === 0);
});

test('large transfers: bytes arrive whole, and a slow reader slows the sender', async () => {
  const chunk = Buffer.alloc(1 << 16, 'x');
  const total = 512 * chunk.length;
  let reading = false;
  let received = 0;
  const { port, sockets } = await sink((socket) => {
    socket.pause();
    socket.on('data', (data) => {
      received += data.length;
    });
    if (!reading) socket.pause();
    socket.on('end', () => socket.end('done'));
  });
  const role = await holding('e1');
  const { socket } = await connect(role, `mx.test:${port}`, pod('p1'));
  let sent = 0;
  const push = () => {
    while (sent < total) {
      sent += chunk.length;
      if (!socket.write(chunk)) return void socket.once('drain', push);
    }
    socket.end();
  };
  push();
  const stalled = async () => {
    const before = sent;
    await new Promise((resolve) => setTimeout(resolve, 150));
    return sent === before;
  };
  await until('the sender to be held up', stalled);
  expect(sent).toBeLessThan(total);
  reading = true;
  sockets[0]?.resume();
  expect(String(await once(socket, 'data'))).toBe('done');
  expect(received).toBe(total);
});

test('an address that is of no use says so in its lease and is granted no more, until it is tried again', async () => {
  const { port } = await sink();
  const role = await holding('e1');
  const { socket } = await connect(role, `mx.test:${port}`, pod('p1'));
  await until('its connection to count', async () => (await lease(FIRST)).connected === 1);
  socket.destroy();
  role.keepers.setUnfit(FIRST, 'it cannot be bound');
  await until('the word of it', async () => (await lease(FIRST)).unfit === 'it cannot be bound');
  expect((await connect(role, `mx.test:${port}`, pod('p1'))).status).toBe(421);
  role.keepers.setUnfit(FIRST, null);
  await until('its return', async () => (await lease(FIRST)).unfit === undefined);
  expect((await connect(role, `mx.test:${port}`, pod('p1'))).status).toBe(200);
});

test('a provider goes on with what was used, whatever name a policy gives it, takes away or gives it again', async () => {
  const { port } = await sink((socket) => socket.on('end', () => socket.end()).resume());
  const role = await holding('e1');
  const sendOne = async () => {
    const { status, headers, socket } = await connect(role, `bigmail.test:${port}`, pod('p1'));
    socket.end();
    await until('its end', () => role.egress.connections.count() === 0);
    return [status, headers['postfleet-provider']];
  };
  const kv = await bus.kv(FLEET_BUCKET);
  const before = (await kv.get('pool.mail_main'))?.json<object>();
  const shaped = async (providers: object[], perHour: number) => {
    const policy = queuePolicySpec.parse({ shaping: { default: { connections: 2, perHour }, providers } });
    await kv.put('pool.mail_main', JSON.stringify({ ...before, policy }));
    await until(
      'the policy',
      () => role.egress.fleet.pools.get(poolKey('mail/main'))?.policy.shaping.default.perHour === perHour,
    );
  };
  await shaped([], 2);
  expect([await sendOne(), await sendOne()]).toMatchObject([
    [200, 'bigmail.test'],
    [200, 'bigmail.test'],
  ]);
  // Each time the limit is one more than what was used: that is all it opens.
  const named = (name: string) => ({ name, mxSuffixes: ['bigmail.test'], limits: {} });
  const names = ['bigmail', 'bigpost', 'bigmail.test', 'bigmail', 'bigmail.test', 'bigpost'];
  for (const [n, name] of names.entries()) {
    await shaped(name === 'bigmail.test' ? [] : [named(name)], 3 + n);
    expect(await sendOne()).toEqual([200, name]);
    expect((await sendOne())[0]).toBe(429);
  }
  await kv.put('pool.mail_main', JSON.stringify(before));
});

describe('changes of holder', () => {
  test('a second pod waits beside the first, follows within a moment of its end, and counts what the first still has open', async () => {
    const { port, sockets } = await sink((socket) => socket.on('end', () => socket.end()).resume());
    const first = await holding('e1');
    const { epoch } = await lease(FIRST);
    const second = await start('e2');
    await until('the second to be ready beside it', () => second.readiness.obstacles.length === 0);
    const open = await connect(first, `mx.test:${port}`, pod('p1'));
    expect(open.status).toBe(200);
    const closing = first.close(5000);
    await until('no more grants', () => !first.keepers.grants(FIRST));
    expect((await connect(first, `mx.test:${port}`, pod('p1'))).status).toBe(421);
    await until('the follower', () => second.keepers.grants(FIRST));
    expect(await lease(FIRST)).toMatchObject({
      epoch: epoch + 1,
      holder: { uid: 'uid-e2' },
      lingering: [{ holder: { uid: 'uid-e1' }, open: { 'mx.test': 1 } }],
    });
    expect(sockets[0]?.destroyed).toBe(false);
    expect((await connect(second, `mx.test:${port}`, pod('p2'))).status).toBe(200);
    expect((await connect(second, `mx.test:${port}`, pod('p3'))).status).toBe(429);
    open.socket.end('QUIT\r\n');
    open.socket.resume();
    await closing;
    expect(await lease(FIRST)).not.toHaveProperty('lingering');
    await until(
      'the slot of the first',
      async () => (await connect(second, `mx.test:${port}`, pod('p3'))).status === 200,
    );
  });

  test('a lease that NATS has lost is taken under a higher epoch, so that what was used of limits is known', async () => {
    const { port } = await sink((socket) => socket.on('end', () => socket.end()).resume());
    const sendOne = async (role: Role) => {
      const from = { 'postfleet-source': SECOND };
      const { status, socket } = await connect(role, `hourly.test:${port}`, pod('p1'), from);
      socket.end();
      await until('its end', () => role.egress.connections.count() === 0);
      return status;
    };
    await (await holding('e1')).close(1000);
    const role = await holding('e2');
    expect(await sendOne(role)).toBe(200);
    const { epoch } = await lease(SECOND);
    await (await bus.kv(LEASE_BUCKET)).delete(leaseKey(SECOND));
    await until('its return', () => (role.keepers.epoch(SECOND) ?? epoch) !== epoch);
    expect(role.keepers.epoch(SECOND)).toBeGreaterThan(epoch);
    expect([await sendOne(role), await sendOne(role)]).toEqual([200, 429]);
  });

  test('a successor whose machine is two hours ahead finds the hour as it is', async () => {
    const { port } = await sink((socket) => socket.on('end', () => socket.end()).resume());
    const sendOne = async (role: Role) => {
      const { status, socket } = await connect(role, `hourly.test:${port}`, pod('p1'));
      socket.end();
      await until('its end', () => role.egress.connections.count() === 0);
      return status;
    };
    const first = await holding('e1');
    expect([await sendOne(first), await sendOne(first), await sendOne(first)]).toEqual([200, 200, 429]);
    await first.close(1000);
    const { now } = Date;
    Date.now = () => now() + 2 * 3_600_000;
    try {
      expect(await sendOne(await holding('e2'))).toBe(429);
    } finally {
      Date.now = now;
    }
  });

  test('a fence reaches what lingers at a holder that has handed over', async () => {
    const { port } = await sink();
    const first = await holding('e1');
    const second = await start('e2');
    const open = await connect(first, `mx.test:${port}`, pod('old'));
    expect(open.status).toBe(200);
    open.socket.resume();
    const closing = first.close(20_000);
    await until('the follower', () => second.keepers.grants(FIRST));
    const request = { pool: 'mail/main', shard: 0, epoch: 2, uid: 'old' };
    expect(await fence(first, pod('p2'), request)).toEqual({ status: 200, body: { closed: 1 } });
    await closing;
  });

  test('an address that drains: no new connections, open ones end, then it is free; set back, it is held again', async () => {
    const { port } = await sink((socket) => socket.on('end', () => socket.end()).resume());
    const role = await holding('e1');
    const kv = await bus.kv(FLEET_BUCKET);
    const snapshot = (await kv.get('ippool.mail_ips'))?.json<{ addresses: object[] }>();
    const drain = (state: string) => {
      const [one, ...others] = snapshot?.addresses ?? [];
      return kv.put(
        'ippool.mail_ips',
        JSON.stringify({ ...snapshot, addresses: [{ ...one, state }, ...others] }),
      );
    };
    const open = await connect(role, `mx.test:${port}`, pod('p1'));
    expect(open.status).toBe(200);
    await drain('Draining');
    await until('no more grants', () => !role.keepers.grants(FIRST));
    expect((await connect(role, `mx.test:${port}`, pod('p1'))).status).toBe(421);
    await until('the word of it', async () => (await lease(FIRST)).leaving === true);
    expect([(await lease(FIRST)).released, role.keepers.grants(SECOND)]).toEqual([undefined, true]);
    open.socket.end('QUIT\r\n');
    open.socket.resume();
    await until('the release', async () => (await lease(FIRST)).released === true);
    await drain('Active');
    await until('its return', () => role.keepers.grants(FIRST));
  });

  test('an address that goes to another IPPool is held there when the first has let it go', async () => {
    const first = await holding('e1');
    const kv = await bus.kv(FLEET_BUCKET);
    const snapshot = (await kv.get('ippool.mail_ips'))?.json<{ addresses: { address: string }[] }>();
    const [moving] = snapshot?.addresses ?? [];
    const without = snapshot?.addresses.filter((one) => one !== moving);
    await kv.put(
      'ippool.mail_next',
      JSON.stringify({ ...snapshot, name: 'next', uid: 'u2', addresses: [moving] }),
    );
    const next = await start('e2', 'mail/next');
    await until('the wait', () => next.keepers.unheld[0]?.includes('held by e1'));
    expect(first.keepers.grants(FIRST)).toBe(true);
    await kv.put('ippool.mail_ips', JSON.stringify({ ...snapshot, addresses: without }));
    await until('its new pool', () => next.keepers.grants(FIRST));
    expect(first.keepers.grants(FIRST)).toBe(false);
    expect(await lease(FIRST)).toMatchObject({ ipPool: 'mail/next', holder: { uid: 'uid-e2' } });
    await kv.put('ippool.mail_ips', JSON.stringify(snapshot));
    await kv.delete('ippool.mail_next');
  });

  test('a holder whose NATS is gone closes its connections before the next one grants', async () => {
    const { port } = await sink();
    const first = await holding('e1');
    const { epoch } = await lease(FIRST);
    await connect(first, `mx.test:${port}`, pod('p1'));
    const second = await start('e2');
    first.tell.nats = 'disconnected';
    await until('the follower', () => {
      const both = first.egress.connections.count() > 0 && second.keepers.grants(FIRST);
      if (both) throw new Error('two holders');
      return second.keepers.grants(FIRST);
    });
    expect(first.egress.connections.count()).toBe(0);
    expect(await lease(FIRST)).toMatchObject({ epoch: epoch + 1, holder: { uid: 'uid-e2' } });
  });
});
