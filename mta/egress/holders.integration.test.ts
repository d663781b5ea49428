// Changes of holder: who follows whom on an address, and what each still has open and counts.
import { until } from '../../e2e/rig/servers.ts';
import { FLEET_BUCKET, LEASE_BUCKET, leaseKey } from '../bus/names.ts';
import { FIRST, pod, SECOND, useEgress } from './egress.fixture.ts';
import type { Role } from './role.ts';

const { start, holding, sink, connect, fence, lease, bucket } = useEgress();

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
  await (await bucket(LEASE_BUCKET)).delete(leaseKey(SECOND));
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
  const kv = await bucket(FLEET_BUCKET);
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
  const kv = await bucket(FLEET_BUCKET);
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
