// A session over a socket of its own: until when its grant lets it begin transactions. The clock is moved by hand.
import { connect } from 'node:net';
import { freePorts, until } from '../../e2e/rig/servers.ts';
import { GRANT_SECONDS } from '../bus/connect.ts';
import { parcelOf } from '../spool/fixtures.ts';
import type { GrantReports } from './outcomes.ts';
import { type RawBehaviour, type RawHost, rawHost } from './rawhost.fixture.ts';
import { Session } from './session.ts';
import { SessionFailed } from './session-failed.ts';

const NO_REPORTS: GrantReports = { begin() {}, finish() {}, closed() {} };
const TO = ['user@one.test'];
const GRANT_OVER = [{ kind: 'noRoom', retryAfterSeconds: 1, why: 'the grant of the connection is over' }];
const hosts: RawHost[] = [];
let now = 0;
beforeEach(() => {
  now = 5000;
});
afterEach(() => Promise.all(hosts.splice(0).map((host) => host.stop())));

/** A granted connection to a host that behaves so, and the session that is being opened over it. */
async function open(seconds: number, behaviour: RawBehaviour = {}) {
  const [port = 0] = await freePorts(1);
  const host = await rawHost('127.0.0.1', port, behaviour);
  hosts.push(host);
  const grant = {
    ...{ socket: connect(port, '127.0.0.1'), id: null, messages: 10, seconds },
    ...{ provider: 'one.test', ehlo: 'out.example.com', peer: '127.0.0.1', warmup: null },
  };
  const options = {
    ...{ host: 'one.test', source: '192.0.2.1', tls: 'None' as const, monotonic: () => now },
    reports: NO_REPORTS,
  };
  return { host, session: Session.open(grant, options) };
}
const mails = ({ commands }: RawHost) => commands.filter((line) => line.startsWith('MAIL')).length;

test('its time begins when it is granted: after a greeting that took it all nothing is sent', async () => {
  const greeting = Promise.withResolvers<void>();
  const { host, session } = await open(10, { greets: greeting.promise });
  await until('the connection', () => host.connections === 1);
  now += 10_000;
  greeting.resolve();
  expect(await (await session).send(parcelOf(1), TO)).toEqual(GRANT_OVER);
  expect(mails(host)).toBe(0);
  expect((await session).fits(1)).toBe(false);
});

test('within its time it sends, also after a slow greeting', async () => {
  const greeting = Promise.withResolvers<void>();
  const { host, session } = await open(10, { greets: greeting.promise });
  await until('the connection', () => host.connections === 1);
  now += 9_999;
  greeting.resolve();
  expect(await (await session).send(parcelOf(1), TO)).toMatchObject([{ kind: 'reply', reply: '250 taken' }]);
});

test('a host that takes longer than a whole grant to greet has failed', async () => {
  const greeting = Promise.withResolvers<void>();
  const { host, session } = await open(GRANT_SECONDS, { greets: greeting.promise });
  const failed = session.catch((error: unknown) => error);
  await until('the connection', () => host.connections === 1);
  now += GRANT_SECONDS * 1000;
  greeting.resolve();
  expect(await failed).toBeInstanceOf(SessionFailed);
  expect(await failed).toMatchObject({ phase: 'greeting', message: 'it has not greeted within 120 s' });
  expect(mails(host)).toBe(0);
});

test('a reset that takes the rest of its time is followed by nothing', async () => {
  const reset = Promise.withResolvers<string>();
  const { host, session } = await open(10, {
    answer: (line, socket) => {
      if (line.startsWith('RCPT')) return '450 4.2.0 later';
      if (line !== 'RSET') return undefined;
      void reset.promise.then((text) => socket.write(text));
      return '';
    },
  });
  expect(await (await session).send(parcelOf(1), TO)).toMatchObject([{ reply: '450 4.2.0 later' }]);
  const next = (await session).send(parcelOf(1), TO);
  await until('the reset', () => host.commands.includes('RSET'));
  now += 10_000;
  reset.resolve('250 ok\r\n');
  expect(await next).toEqual(GRANT_OVER);
  expect(mails(host)).toBe(1);
});
