// Shards that change hands while something cannot be reached, over a real nats-server and a real egress.
import { once } from 'node:events';
import { request } from 'node:https';
import { connect } from 'node:tls';
import { until } from '../../e2e/rig/servers.ts';
import { clientTls } from '../../process/identity/tls.ts';
import type { Bus } from '../bus/client.ts';
import { falling } from '../bus/deaf.fixture.ts';
import { refusals } from '../egress/metrics.ts';
import type { Parcel } from '../message/parcel.ts';
import { type Fixture, KEY, type Pod, startFixture } from './fixture.ts';

let fixture: Fixture;

beforeAll(async () => {
  fixture = await startFixture();
}, 60_000);
afterEach(() => fixture?.reset(), 60_000);
afterAll(() => fixture?.stop(), 30_000);

const possiblyRepeated = (pod: Pod) => pod.metric('postfleet_possibly_repeated_total');
const recipients = (mails: readonly { readonly to: readonly string[] }[]) =>
  mails.flatMap(({ to }) => to).sort();

describe('a former owner that stated nothing', () => {
  /** Two messages that it had of shard 0, one of shard 1 that has no former owner; then a new owner, and one fresh message each. */
  async function takenOver(movable: boolean) {
    const sink = await fixture.sink('one.test');
    const phantom = await fixture.phantomHolder(movable);
    await fixture.submit(['had-1@one.test'], fixture.idOf(0));
    await fixture.submit(['had-2@one.test'], fixture.idOf(0));
    await fixture.submit(['other@one.test'], fixture.idOf(1));
    await fixture.touch();
    const pod = await fixture.pod('new', { assign: false });
    await fixture.assign(() => {
      const { members, shards } = fixture.allTo(pod);
      const former = { uid: `uid-lost-${movable}`, stated: false };
      return { members, shards: shards.map((one) => ({ ...one, former: one.shard === 0 ? former : null })) };
    });
    await fixture.submit(['fresh-0@one.test'], fixture.idOf(0));
    await fixture.submit(['fresh-1@one.test'], fixture.idOf(1));
    return { sink, phantom, pod };
  }
  const LETS_PASS = ['fresh-0@one.test', 'fresh-1@one.test', 'other@one.test'];
  const ALL = [...LETS_PASS, 'had-1@one.test', 'had-2@one.test'].sort();

  test('what it had waits for a holder that renews its lease; fresh mail and other shards do not', async () => {
    const { sink, phantom, pod } = await takenOver(true);
    await until('what may pass', () => sink.mails.length === 3);
    expect(recipients(sink.mails)).toEqual(LETS_PASS);
    const { renewals } = phantom;
    // Longer than a lease: it is renewed, so it does not run out.
    await until('a dozen renewals', () => phantom.renewals >= renewals + 12);
    expect(recipients(sink.mails)).toEqual(LETS_PASS);
    expect(await fixture.stored()).toBe(2);
    phantom.renews = false;
    await until('the rest, once the lease has run out', () => sink.mails.length === 5, 30_000);
    expect(recipients(sink.mails)).toEqual(ALL);
    // Without its lease it has no address: that is as good as a confirmation.
    expect(await possiblyRepeated(pod)).toBe(0);
    await until('all to be acknowledged', async () => (await fixture.stored()) === 0);
    expect(fixture.egress.egress.epochs.isFenced('uid-lost-true')).toBe(true);
  }, 60_000);

  test('a holder of a fixed address may go on without its lease: what is sent then is counted', async () => {
    const { sink, phantom, pod } = await takenOver(false);
    await until('what may pass', () => sink.mails.length === 3);
    expect(recipients(sink.mails)).toEqual(LETS_PASS);
    expect(await possiblyRepeated(pod)).toBe(0);
    phantom.renews = false;
    await until('the rest', () => sink.mails.length === 5, 30_000);
    expect(recipients(sink.mails)).toEqual(ALL);
    expect(await possiblyRepeated(pod)).toBe(2);
  }, 60_000);

  test('a shard is not given up before the fence that is owed', async () => {
    const { sink, phantom, pod } = await takenOver(true);
    await until('what may pass', () => sink.mails.length === 3);
    await fixture.assign(({ members }) => ({ members: members.map((one) => ({ ...one, cordoned: true })) }));
    await until('the cordon', () => pod.statement().cordoned);
    await until('the other shard to be given up', () => pod.statement().held.length === 1);
    expect(pod.statement().held).toEqual([{ shard: 0, epoch: expect.any(Number), unacknowledged: 0 }]);
    phantom.renews = false;
    await until('this one as well', () => pod.statement().held.length === 0, 30_000);
    expect(sink.mails).toHaveLength(3);
  }, 60_000);
});

describe('an epoch that is older than what egress knows', () => {
  const refused = async () =>
    (await refusals.get()).values
      .filter(({ labels }) => labels.reason === 'StaleEpoch')
      .reduce((sum, { value }) => sum + value, 0);

  test('egress is asked seldom, the mail stays, and goes when the epoch is right', async () => {
    const pod = await fixture.pod('a');
    const sinks = await Promise.all(Array.from({ length: 10 }, (_, n) => fixture.sink(`s${n}.test`)));
    const before = await refused();
    const [known = 0] = fixture.assignment.shards.map(({ epoch }) => epoch);
    fixture.egress.egress.epochs.learn(KEY, [
      [0, known + 1],
      [1, known + 1],
    ]);
    await Promise.all(sinks.map((_, n) => fixture.submit([`user@s${n}.test`])));
    await until('the pod to say so', () => pod.readiness.obstacles.some((why) => why.startsWith('epoch')));
    await until('a second look', async () => (await refused()) >= before + 2);
    // Ten sites that each asked for themselves would have been refused twenty times by now.
    expect(await refused()).toBeLessThan(before + 10);
    expect(sinks.flatMap(({ mails }) => mails)).toHaveLength(0);
    await fixture.assign(() => fixture.allTo(pod));
    await until('all to arrive', () => sinks.every(({ mails }) => mails.length === 1));
    await until('all to be acknowledged', async () => (await fixture.stored()) === 0);
    await until('the spool to be empty', () => pod.statement().spool.entries === 0);
    expect(pod.readiness.obstacles).toEqual([]);
  }, 60_000);

  test('the refusal makes the pod read the assignment, when its watch has fallen silent', async () => {
    let deaf = false;
    const bus = await fixture.connect('delivery-deaf');
    fixture.afterwards(() => bus.close());
    const pod = await fixture.pod('deaf', { bus: Promise.resolve({ ...bus, kv: falling(bus, () => deaf) }) });
    const sink = await fixture.sink('one.test');
    const before = await fixture.sink('before.test');
    await fixture.submit(['a@before.test']);
    await until('the fleet to be known', () => before.mails.length === 1);
    deaf = true;
    await fixture.assign(() => fixture.allTo(pod));
    const { revision, shards } = fixture.assignment;
    const [{ epoch = 0 } = {}] = shards;
    await until(
      'egress to know',
      () => fixture.egress.egress.epochs.stale(KEY, new Map([[0, epoch - 1]])) !== null,
    );
    expect(pod.statement().assignmentRevision).toBe(revision - 1);
    await fixture.submit(['a@one.test']);
    await until('the assignment to be read', () => pod.statement().assignmentRevision === revision);
    await until('it to arrive', () => sink.mails.length === 1);
  }, 60_000);
});

describe('the admin port', () => {
  const certificate = (role: 'operator' | 'delivery' | 'egress') =>
    fixture.authority.issueFor({ namespace: 'mail', role, pool: 'main', pod: 'x', uid: `uid-${role}` });
  async function ask(
    pod: Pod,
    role: 'operator' | 'delivery' | 'egress',
    path = '/v1/statement',
    method = 'GET',
  ) {
    const tls = clientTls(await certificate(role), { role: 'delivery', uid: pod.uid });
    const sent = request({
      ...tls,
      agent: false,
      host: '127.0.0.1',
      port: pod.adminPort,
      path,
      method,
    }).end();
    const [response] = await once(sent, 'response');
    const body = (await response.toArray()).join('');
    return { status: response.statusCode as number, body };
  }

  test('answers the operator alone', async () => {
    const pod = await fixture.pod('a');
    expect(await ask(pod, 'delivery')).toMatchObject({
      status: 403,
      body: expect.stringContaining('Forbidden'),
    });
    expect(await ask(pod, 'egress')).toMatchObject({ status: 403 });
    const { status, body } = await ask(pod, 'operator');
    expect(status).toBe(200);
    expect(JSON.parse(body)).toEqual(pod.statement());
    expect(await ask(pod, 'operator', '/v1/drain')).toMatchObject({ status: 404 });
    expect(await ask(pod, 'operator', '/v1/statement', 'DELETE')).toMatchObject({ status: 405 });
  });

  test('a caller without a certificate gets no answer', async () => {
    const pod = await fixture.pod('a');
    const socket = connect({ port: pod.adminPort, host: '127.0.0.1', rejectUnauthorized: false });
    socket.write('GET /v1/statement HTTP/1.1\r\nhost: x\r\n\r\n');
    const said: string[] = [];
    socket.on('data', (chunk: Buffer) => said.push(chunk.toString()));
    const [error] = await once(socket, 'error').catch((caught: unknown) => [caught]);
    expect(String(error)).toMatch(/certificate required|alert|closed|ECONNRESET/i);
    expect(said).toEqual([]);
    socket.destroy();
  });
});

describe('acknowledgements whose confirmation is lost', () => {
  test.each([
    ['before NATS has heard of them', false],
    ['after NATS has carried them out', true],
  ])(
    '%s: a pod that is cordoned asks again, and gives its shards up',
    async (_, isHeard) => {
      const name = `lossy-${isHeard}`;
      const bus = await fixture.connect(`delivery-${name}`);
      fixture.afterwards(() => bus.close());
      let lost = 0;
      const request: Bus['nc']['request'] = (subject, payload, options) => {
        if (!subject.startsWith('$JS.ACK') || lost >= 6) return bus.nc.request(subject, payload, options);
        lost++;
        const heard = isHeard ? bus.nc.request(subject, payload, options) : Promise.resolve();
        return heard.then(() => Promise.reject(new Error('the answer is lost')));
      };
      const lossy: Bus = { ...bus, nc: Object.assign(Object.create(bus.nc), { request }) };
      const pod = await fixture.pod(name, { bus: Promise.resolve(lossy) });
      fixture.mx.set('later.test', { kind: 'temporary', reason: 'SERVFAIL' });
      const sent: Parcel[] = [];
      for (let n = 0; n < 3; n++) sent.push(await fixture.submit([`user${n}@later.test`]));
      await until(
        'all to be in hand and in the spool',
        () => pod.statement().spool.entries === 3 && lost >= 3,
      );
      await fixture.assign(({ members }) => ({
        members: members.map((one) => ({ ...one, cordoned: true })),
      }));
      await until('the shards to be given up', () => {
        const { assignmentRevision, held, unacknowledged } = pod.statement();
        return (
          assignmentRevision === fixture.assignment.revision && held.length === 0 && unacknowledged === 0
        );
      });
      expect(await fixture.stored()).toBe(0);
      expect(pod.statement().spool.entries).toBe(sent.length);
    },
    60_000,
  );
});
