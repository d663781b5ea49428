// What the remote host offers and refuses: TLS and SMTPUTF8, over a real egress and sockets.
import type { Socket } from 'node:net';
import { until } from '../../e2e/rig/servers.ts';
import { type Fixture, type Pod, startFixture } from './fixture.ts';
import { type RawBehaviour, type RawHost, rawHost } from './rawhost.fixture.ts';

let fixture: Fixture;
let pod: Pod;
let pods = 0;

beforeAll(async () => {
  fixture = await startFixture();
}, 60_000);
beforeEach(async () => {
  // Each on a volume of its own: what one test leaves in flight is not the next one's.
  pod = await fixture.pod(`remote-${pods++}`);
});
afterEach(() => fixture?.reset(), 60_000);
afterAll(() => fixture?.stop(), 30_000);

const ends = (result: string) => pod.metric('postfleet_delivery_recipients_total', { result });

/** A scripted host that is the MX of `domain`. */
async function raw(domain: string, behaviour: RawBehaviour, preference = 10): Promise<RawHost> {
  const address = fixture.host();
  const host = await rawHost(address, fixture.smtpPort, behaviour);
  fixture.afterwards(() => host.stop());
  const known = fixture.mx.get(domain);
  const hosts = known?.kind === 'hosts' ? known.hosts : [];
  fixture.mx.set(domain, { kind: 'hosts', hosts: [...hosts, { preference, host: address }] });
  return host;
}

describe('TLS', () => {
  const offering = { disabledCommands: ['AUTH'] };

  test('Opportunistic: a self-signed certificate is better than none', async () => {
    const sink = await fixture.sink('one.test', offering);
    await fixture.submit(['a@one.test']);
    await until('it to arrive', () => sink.mails.length === 1);
    expect(sink.mails[0]?.secure).toBe(true);
  });

  test.each<[string, (socket: Socket) => void]>([
    ['answers with something else', (socket) => socket.write('454 what is this\r\n')],
    ['hangs up', (socket) => socket.end()],
    ['resets', (socket) => socket.resetAndDestroy()],
  ])(
    'Opportunistic: a host whose handshake %s gets the message over a new connection without',
    async (_, handshake) => {
      const host = await raw('broken.test', { offers: ['STARTTLS'], handshake });
      await fixture.submit(['a@broken.test']);
      await until('it to arrive', () => host.messages.length === 1);
      expect(host.connections).toBe(2);
      await until('the end', async () => (await ends('delivered')) === 1);
      expect(await ends('deferred')).toBe(0);
      // It is remembered: the next message does not run into it again.
      await until(
        'the connection to be idle no longer',
        async () => (await pod.metric('postfleet_connections_open')) === 0,
      );
      await fixture.submit(['b@broken.test']);
      await until('the second', () => host.messages.length === 2);
      expect(host.commands.filter((line) => line === 'STARTTLS')).toHaveLength(1);
    },
  );

  test('Opportunistic: a host that takes STARTTLS back is spoken to without', async () => {
    const host = await raw('later.test', {
      offers: ['STARTTLS'],
      answer: (line) => (line === 'STARTTLS' ? '454 4.7.0 TLS not available' : undefined),
    });
    await fixture.submit(['a@later.test']);
    await until('it to arrive', () => host.messages.length === 1);
    expect(host.connections).toBe(1);
  });

  test('Required: nothing goes to a host without TLS, and the reply says why', async () => {
    await fixture.policy(pod, { tls: 'Required', retry: { intervals: ['1s'], maxAge: '3s', jitter: 0 } });
    const host = await raw('plain.test', {});
    await fixture.submit(['a@plain.test']);
    await until('a deferral', async () => (await ends('deferred')) >= 1);
    await until('the patience to end', async () => (await ends('expired')) === 1);
    expect(host.commands.some((line) => line.startsWith('MAIL'))).toBe(false);
    const { status, reply } = await fixture.lastBounce();
    expect(status).toBe('4.7.10');
    expect(reply).toMatch(/the policy requires TLS, and the host does not offer it/);
  }, 40_000);

  test('Required: a broken handshake is no reason to do without', async () => {
    await fixture.policy(pod, { tls: 'Required' });
    const host = await raw('broken.test', { offers: ['STARTTLS'], handshake: (socket) => socket.end() });
    await fixture.submit(['a@broken.test']);
    await until('a second attempt', async () => (await ends('deferred')) >= 2);
    expect(host.commands.some((line) => line.startsWith('MAIL'))).toBe(false);
  });

  test('Required: goes over TLS, and not over a connection from before that has none', async () => {
    const sink = await fixture.sink('one.test', offering);
    await fixture.policy(pod, { tls: 'None' });
    await fixture.submit(['a@one.test']);
    await until('one without', () => sink.mails.length === 1);
    await fixture.policy(pod, { tls: 'Required' });
    await fixture.submit(['b@one.test']);
    await until('one with', () => sink.mails.length === 2);
    expect(sink.mails.map(({ secure }) => secure)).toEqual([false, true]);
  });

  test('None: never, although it is offered', async () => {
    await fixture.policy(pod, { tls: 'None' });
    const host = await raw('one.test', { offers: ['STARTTLS'], handshake: (socket) => socket.end() });
    await fixture.submit(['a@one.test']);
    await until('it to arrive', () => host.messages.length === 1);
    expect(host.commands).not.toContain('STARTTLS');
  });
});

describe('addresses and headers beyond ASCII', () => {
  const withHeaders = { smtpUtf8: true, message: Buffer.from('Subject: Grüße\r\n\r\nHallo\r\n') };
  const mails = (host: RawHost) => host.commands.filter((line) => line.startsWith('MAIL'));

  test('headers alone need SMTPUTF8 at MAIL', async () => {
    const host = await raw('utf8.test', { offers: ['8BITMIME', 'SMTPUTF8'] });
    await fixture.submit(['a@utf8.test'], withHeaders);
    await until('it to arrive', () => host.messages.length === 1);
    expect(mails(host)).toEqual(['MAIL FROM:<sender@acme.test> BODY=8BITMIME SMTPUTF8']);
    // The next one over the same connection does not carry it on.
    await fixture.submit(['b@utf8.test']);
    await until('the next', () => host.messages.length === 2);
    expect(mails(host)[1]).toBe('MAIL FROM:<sender@acme.test>');
  });

  test('an address announces it once', async () => {
    const host = await raw('utf8.test', { offers: ['PIPELINING', 'SMTPUTF8'] });
    await fixture.submit(['jörg@utf8.test'], withHeaders);
    await until('it to arrive', () => host.messages.length === 1);
    expect(mails(host)).toEqual(['MAIL FROM:<sender@acme.test> SMTPUTF8']);
  });

  test.each([
    ['the headers', ['a@ascii.test'], withHeaders],
    ['the sender', ['a@ascii.test'], { smtpUtf8: true, from: 'jörg@acme.test' }],
    ['the recipient', ['jörg@ascii.test'], { smtpUtf8: true }],
  ])('a host without it: what needs it by %s is bounced with 5.6.7', async (_, to, given) => {
    const before = await fixture.bounces();
    const host = await raw('ascii.test', { offers: ['8BITMIME'] });
    await fixture.submit(to, given);
    await until('it to be bounced', async () => (await ends('bounced')) === 1);
    expect(await ends('deferred')).toBe(0);
    expect(await fixture.bounces()).toBe(before + 1);
    expect((await fixture.lastBounce()).status).toBe('5.6.7');
    expect(host.messages).toHaveLength(0);
  });

  test('of one message, the recipients that do not need it get it', async () => {
    const host = await raw('ascii.test', { offers: ['8BITMIME'] });
    await fixture.submit(['jörg@ascii.test', 'joerg@ascii.test'], { smtpUtf8: true });
    await until('both to end', async () => (await ends('bounced')) === 1 && (await ends('delivered')) === 1);
    expect(host.commands.filter((line) => line.startsWith('RCPT'))).toEqual(['RCPT TO:<joerg@ascii.test>']);
  });

  test('another MX that offers it is asked first', async () => {
    const without = await raw('two.test', { offers: ['8BITMIME'] });
    const offering = await raw('two.test', { offers: ['8BITMIME', 'SMTPUTF8'] }, 20);
    await fixture.submit(['jörg@two.test'], { smtpUtf8: true });
    await until('it to arrive', () => offering.messages.length === 1);
    expect(without.messages).toHaveLength(0);
    expect(await ends('bounced')).toBe(0);
  });
});

describe('replies to some of the recipients', () => {
  test('who was refused by name is not asked again because of what became of the message', async () => {
    const host = await raw('mixed.test', {
      answer: (line) => (line.startsWith('RCPT TO:<gone') ? '550 5.1.1 no such user' : undefined),
      // Of the first nobody knows whether the others have it.
      dot: (socket) => (host.messages.length === 1 ? socket.destroy() : socket.write('250 taken\r\n')),
    });
    await fixture.submit(['gone@mixed.test', 'there@mixed.test']);
    await until('one to be bounced', async () => (await ends('bounced')) === 1);
    await until('the other to be delivered', async () => (await ends('delivered')) === 1);
    expect(await pod.metric('postfleet_possibly_repeated_total')).toBe(1);
    expect(host.commands.filter((line) => line.includes('gone'))).toHaveLength(1);
  });

  test('a host that does not answer RSET keeps no result back', async () => {
    const host = await raw('deaf.test', {
      answer: (line) => (line.startsWith('RCPT') ? '450 4.2.0 later' : line === 'RSET' ? '' : undefined),
    });
    await fixture.submit(['a@deaf.test']);
    await until('a deferral', async () => (await ends('deferred')) === 1);
    expect(host.commands).toContain('RSET');
  });
});
