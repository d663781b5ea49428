import { dkimVerify } from 'mailauth/lib/dkim/verify.js';
import { until } from '../../e2e/rig/servers.ts';
import { openDatabase } from '../../gateway/db.ts';
import { BOUNCE_STREAM, bounceSubject, mailStream, mailSubject } from '../bus/names.ts';
import { type BounceRequest, encodeBounce } from '../message/bounce.ts';
import type { ParcelId } from '../message/parcel.ts';
import { Client } from './test_client.ts';
import { http, POOL, startTestbed, type Testbed } from './testbed.ts';

let bed: Testbed;
beforeAll(async () => {
  bed = await startTestbed({ horizonMs: 2500 });
}, 60_000);
afterAll(async () => {
  await bed?.stop();
}, 60_000);
beforeEach(() => bed.empty());

const text = (body = 'Hello\r\n') =>
  `From: ann@send.example\r\nTo: bob@x.example\r\nMessage-ID: <${Math.random()}@client>\r\n\r\n${body}`;
const from = 'ann@send.example';
const login = () => Client.authenticated(bed.ingress.ports.submissions, bed.keyId, bed.token);
const post = (headers: Record<string, string> = {}, body: object = {}) =>
  http(bed.ingress.ports.http, JSON.stringify({ from, to: 'bob@x.example', text: 'x', ...body }), {
    authorization: `Bearer ${bed.token}`,
    'content-type': 'application/json',
    ...headers,
  });
const node = () => bed.nats.nodes[0] as Testbed['nats']['nodes'][number];

test('NATS gone: 451 before a message is taken and 503 with Retry-After; back again: accepted', async () => {
  const client = await login();
  expect(await client.send(from, ['bob@x.example'], text())).toMatch(/^250/);
  await node().stop('SIGKILL');
  await until('the loss is seen', () => bed.bus.obstacle() !== null);
  expect(await client.say(`MAIL FROM:<${from}>`)).toMatch(/^451 4\.3\.0 /);
  expect(await post()).toMatchObject({ status: 503, headers: { 'retry-after': '10' } });
  await node().start();
  await until('NATS is back', () => bed.bus.obstacle() === null);
  expect(await client.send(from, ['bob@x.example'], text())).toMatch(/^250/);
  expect((await post()).status).toBe(202);
  client.end();
  expect(await bed.parcels()).toHaveLength(3);
}, 60_000);

test('NATS silent after the dot: no reply and 504; what the client repeats afterwards is stored once', async () => {
  const client = await login();
  const message = text();
  await client.say(`MAIL FROM:<${from}>`);
  await client.say('RCPT TO:<bob@x.example>');
  await client.say('DATA');
  node().child.process.kill('SIGSTOP');
  client.write(message);
  const [smtp, web] = await Promise.all([client.say('.'), post({ 'idempotency-key': 'order-9' })]);
  expect(smtp).toBe('closed');
  expect(web).toMatchObject({ status: 504, json: { detail: expect.stringMatching(/repeat.*same/) } });
  node().child.process.kill('SIGCONT');
  await until('NATS is back', () => bed.bus.obstacle() === null);
  const again = await login();
  expect(await again.send(from, ['bob@x.example'], message)).toMatch(/^250/);
  expect((await post({ 'idempotency-key': 'order-9' })).status).toBe(202);
  again.end();
  expect(await bed.parcels()).toHaveLength(2);
}, 60_000);

test('NATS silent for less than the horizon: the answer comes late, and the message is stored once', async () => {
  const client = await login();
  await client.say(`MAIL FROM:<${from}>`);
  await client.say('RCPT TO:<bob@x.example>');
  await client.say('DATA');
  node().child.process.kill('SIGSTOP');
  client.write(text());
  client.write('\r\n.\r\n');
  setTimeout(() => node().child.process.kill('SIGCONT'), 1000);
  expect(await client.reply()).toMatch(/^250/);
  expect(await bed.parcels()).toHaveLength(1);
  client.end();
}, 60_000);

test('a full stream: 452 and 503, and nothing of it is stored', async () => {
  const client = await login();
  const big = 'x'.repeat(70).concat('\r\n').repeat(6000);
  const replies: string[] = [];
  for (let i = 0; i < 14; i++) replies.push(await client.send(from, ['bob@x.example'], text(big)));
  const full = replies.filter((reply) => /^452 4\.3\.1 /.test(reply)).length;
  expect(full).toBeGreaterThan(0);
  expect(await bed.parcels()).toHaveLength(replies.length - full);
  const answers = await Promise.all(Array.from({ length: 6 }, () => post({}, { text: big })));
  expect(answers.some(({ status, headers }) => status === 503 && headers['retry-after'] !== undefined)).toBe(
    true,
  );
  client.end();
}, 60_000);

test('a pool that is being deleted, or is not there yet: 451', async () => {
  await bed.putDomain('new.example', { pool: 'test/absent' });
  const client = await login();
  const message = text().replace('ann@send', 'ann@new');
  expect(await client.send('ann@new.example', ['bob@x.example'], message)).toMatch(
    /^451 4\.3\.0 .*test\/absent/,
  );
  client.end();
});

test('a DKIM key that cannot be opened holds mail back: it never leaves unsigned', async () => {
  await bed.putDomain('locked.example', {
    dkim: [{ selector: 's', algorithm: 'RSA', sealedKey: 'v1.AAAA' }],
  });
  const client = await login();
  expect(
    await client.send('a@locked.example', ['b@x.example'], text().replace('ann@send', 'a@locked')),
  ).toMatch(/^451 4\.7\.5/);
  client.end();
});

test('PostgreSQL gone: known keys work and the suppression check is left to delivery; unknown keys get 454, keyed requests 503', async () => {
  const client = await login();
  const admin = openDatabase(bed.postgres.url.replace(/postfleet$/, 'postgres'), {
    name: 'admin',
    connections: 1,
  });
  await admin.query('alter database postfleet allow_connections false');
  await admin.query("select pg_terminate_backend(pid) from pg_stat_activity where datname = 'postfleet'");
  try {
    expect(await client.send(from, ['bob@x.example'], text())).toMatch(/^250/);
    const known = await login();
    expect(await known.send(from, ['bob@x.example'], text())).toMatch(/^250/);
    known.end();
    expect((await post()).status).toBe(202);
    expect(await post({ 'idempotency-key': 'k' })).toMatchObject({ status: 503 });
    const unknown = await Client.connect(bed.ingress.ports.submissions, true);
    await unknown.say('EHLO x');
    const other = `pf_${'a'.repeat(12)}_${'0'.repeat(64)}`;
    expect(await unknown.say(`AUTH PLAIN ${Buffer.from(`\0acme\0${other}`).toString('base64')}`)).toMatch(
      /^454 4\.7\.0/,
    );
    unknown.end();
    expect(await post({ authorization: `Bearer ${other}` })).toMatchObject({ status: 503 });
  } finally {
    await admin.query('alter database postfleet allow_connections true');
    await admin.end();
  }
  client.end();
}, 60_000);

describe('bounces', () => {
  const request: BounceRequest = {
    version: 1,
    parcelId: 'f'.repeat(32) as ParcelId,
    recipient: 'bob@x.example',
    kind: 'bounced',
    pool: 'test/main',
    sendingDomain: 'send.example',
    account: 'acme',
    from: 'ann@send.example',
    originalHeaders: Buffer.from('From: ann@send.example\r\nSubject: Grüße\r\n').toString('base64'),
    status: '5.1.1',
    reply: '550 5.1.1 no such user\r\nX-Injected: yes',
    remoteMta: 'mx.x.example',
    acceptedAt: 1_700_000_000_000,
    attempts: 2,
  };
  const ask = (one: BounceRequest, id = one.parcelId) =>
    bed.bus.js.publish(bounceSubject(POOL), encodeBounce(one), { msgID: id });
  const left = async () => (await (await bed.bus.manager()).streams.info(BOUNCE_STREAM)).state.messages;

  test('one is signed and sent from the null path, once however often it is asked for', async () => {
    await ask(request, 'a' as ParcelId);
    await ask(request, 'b' as ParcelId);
    await until('both are acknowledged', async () => (await left()) === 0);
    const [parcel, ...more] = await bed.parcels();
    expect(more).toEqual([]);
    expect(parcel).toMatchObject({
      from: '',
      isNotification: true,
      pool: 'test/main',
      recipients: [{ address: from }],
    });
    const message = parcel?.message ?? Buffer.alloc(0);
    const { results } = await dkimVerify(message, { resolver: bed.resolver as never });
    expect(results.map(({ status, signingDomain }) => [status.result, signingDomain])).toEqual([
      ['pass', 'send.example'],
      ['pass', 'send.example'],
    ]);
    const body = message.toString();
    expect(body).toMatch(/^From: Mail Delivery System <MAILER-DAEMON@send\.example>\r$/m);
    expect(body).toMatch(/^Auto-Submitted: auto-replied\r$/m);
    expect(body).toMatch(/^Final-Recipient: rfc822; bob@x\.example\r\nAction: failed\r\nStatus: 5\.1\.1\r$/m);
    expect(body).toMatch(/^Diagnostic-Code: smtp; 550 5\.1\.1 no such user X-Injected: yes\r$/m);
    expect(body).not.toMatch(/^X-Injected/m);
  });

  test('one that cannot be read is dropped, and does not hold up the next', async () => {
    await bed.bus.js.publish(bounceSubject(POOL), '{"version":9}');
    await ask({ ...request, recipient: 'jürgen@x.example', from: 'zoë@send.example' }, 'c' as ParcelId);
    await until('both are gone', async () => (await left()) === 0);
    const [parcel] = await bed.parcels();
    expect(parcel?.smtpUtf8).toBe(true);
    expect(parcel?.message.toString()).toContain('Final-Recipient: utf-8; j\\x{FC}rgen@x.example');
  });
});

test('what others put into the stream does not look like ours: the subject names the class', async () => {
  const client = await login();
  await client.send(from, ['bob@x.example'], text());
  client.end();
  const manager = await bed.bus.manager();
  const subjects = await Promise.all(
    [0, 1].map(
      async (shard) =>
        (await manager.streams.info(mailStream(POOL, shard), { subjects_filter: '>' })).state.subjects,
    ),
  );
  const names = subjects.flatMap((one) => Object.keys(one ?? {}));
  expect([0, 1].map((shard) => mailSubject(POOL, shard, 'transactional'))).toContain(names[0]);
});

test('SIGTERM: idle sessions are told, a message under way is answered, and nobody new is greeted', async () => {
  const [idle, busy] = [await login(), await login()];
  await busy.say(`MAIL FROM:<${from}>`);
  await busy.say('RCPT TO:<bob@x.example>');
  await busy.say('DATA');
  busy.write(text());
  const stopped = bed.ingress.stop(20_000);
  expect(await idle.reply()).toMatch(/^421 4\.3\.2/);
  expect(await busy.say('.')).toMatch(/^250/);
  await stopped;
  expect(await (await Client.connect(bed.ingress.ports.submissions, true)).reply()).toBe('closed');
  expect(await bed.parcels()).toHaveLength(1);
}, 60_000);
