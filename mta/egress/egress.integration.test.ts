// Egress over real TLS, a real nats-server and real sockets on loopback.
import { once } from 'node:events';
import { request as httpsRequest } from 'node:https';
import { until } from '../../e2e/rig/servers.ts';
import { createAuthority } from '../../operator/authority/authority.ts';
import { queuePolicySpec } from '../../resources/kinds.ts';
import { FLEET_BUCKET, LEASE_BUCKET, leaseKey, poolKey } from '../bus/names.ts';
import type { Assignment } from '../bus/snapshot.ts';
import { FIRST, pod, SECOND, useEgress } from './egress.fixture.ts';

const egress = useEgress();
const { start, holding, sink, connect, fence, lease, bucket } = egress;

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
  const [stranger, ours] = [await (await createAuthority()).issueFor(pod('p1')), egress.authority.ca];
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
  expect(await (await bucket(LEASE_BUCKET)).get(leaseKey('198.51.100.77'))).toBeNull();
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
  await (await bucket(FLEET_BUCKET)).put('assignment.mail_main', JSON.stringify(assignment));
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
  const kv = await bucket(FLEET_BUCKET);
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
