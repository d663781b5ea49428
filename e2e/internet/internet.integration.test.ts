// The miniature internet as a process on loopback, over real sockets: every behaviour, the DNS, the control and the records.
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { Child, freePorts, until } from '../rig/servers.ts';
import type { Behaviour } from './behaviour.ts';
import { InternetClient } from './client.ts';
import { LineReader } from './line_reader.ts';
import type { AttemptRecord, InternetRecord, MessageRecord } from './record.ts';
import type { World } from './world.ts';

const NET = 77;
const SOURCE = '127.77.100.10';
const folder = mkdtempSync(join(tmpdir(), 'postfleet-internet-'));
const control = join(folder, 'control.sock');
let internet: Child;
let client: InternetClient;
let world: World;
let resolver: Resolver;
const open: Socket[] = [];

async function start(ports: readonly number[]): Promise<void> {
  const args = ['--control', control, '--folder', join(folder, 'mail'), '--loopback', String(NET)];
  internet = new Child(process.execPath, [
    ...[join(import.meta.dirname, 'main.ts'), ...args],
    ...['--smtp-port', String(ports[0]), '--dns-port', String(ports[1])],
  ]);
  await until('the internet', () => {
    if (!internet.running) throw new Error(internet.output);
    return internet.output.includes('ready');
  });
}

let ports: number[];
beforeAll(async () => {
  ports = await freePorts(2);
  await start(ports);
  client = new InternetClient(control);
  world = await client.world();
  resolver = new Resolver({ timeout: 300, tries: 1 });
  resolver.setServers([`${world.dns.address}:${world.dns.port}`]);
});
afterEach(async () => {
  for (const socket of open.splice(0)) socket.destroy();
  await client.reset();
});
afterAll(async () => {
  await internet.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** An SMTP client that says what it is told, from a source of ours. */
class Talk {
  #socket: Socket;
  #reader: LineReader;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#reader = new LineReader(socket);
    open.push(socket);
  }
  static async to(host: string, source = SOURCE): Promise<Talk> {
    const address = world.hosts.find(({ hostname }) => hostname === host)?.address;
    const socket = connect({ host: address as string, port: world.smtpPort, localAddress: source });
    await once(socket, 'connect');
    return new Talk(socket);
  }
  /** The last line of the next reply; null when the connection ended. */
  async reply(): Promise<string | null> {
    for (;;) {
      const line = await this.#reader.line();
      if (line === null || line[3] !== '-') return line;
    }
  }
  async say(line: string): Promise<string | null> {
    this.#socket.write(`${line}\r\n`);
    return this.reply();
  }
  leave(): void {
    this.#socket.destroy();
  }
  async secure(): Promise<TLSSocket> {
    await this.say('STARTTLS');
    this.#reader.detach();
    const secure = connectTls({ socket: this.#socket, rejectUnauthorized: false, servername: 'mx.test' });
    await once(secure, 'secureConnect');
    this.#socket = secure;
    this.#reader = new LineReader(secure);
    return secure;
  }
  /** A transaction up to the given point; the last reply. */
  async send(recipients: readonly string[], testId = 't-1', body = 'hello'): Promise<string | null> {
    await this.say('MAIL FROM:<ada@demo.example>');
    const replies: (string | null)[] = [];
    for (const recipient of recipients) replies.push(await this.say(`RCPT TO:<${recipient}>`));
    if (!replies.some((reply) => reply?.startsWith('2'))) return replies.at(-1) ?? null;
    await this.say('DATA');
    return this.say(`Subject: x\r\nX-Test-Id: ${testId}\r\n\r\n${body}\r\n.`);
  }
}
const greeted = async (host: string, source?: string): Promise<Talk> => {
  const talk = await Talk.to(host, source);
  await talk.reply();
  await talk.say('EHLO mta1.demo.example');
  return talk;
};
const behave = (behaviour: Behaviour) => client.setBehaviour('alder.example', behaviour);
const attempts = async () =>
  (await client.records()).filter((record): record is AttemptRecord => record.kind === 'attempt');
const messages = async () =>
  (await client.records()).filter((record): record is MessageRecord => record.kind === 'message');

describe('mail exchangers', () => {
  test('accept, and record bytes, source, name, envelope and outcome', async () => {
    const talk = await greeted('mx.alder.example');
    expect(await talk.send(['a@alder.example', 'b@alder.example'], 't-9', '..dot\r\n.. two')).toBe(
      '250 2.0.0 ok',
    );
    const [message] = await messages();
    expect(message).toMatchObject({
      ...{
        mx: 'mx.alder.example',
        source: SOURCE,
        ehlo: 'mta1.demo.example',
        tls: null,
        from: 'ada@demo.example',
      },
      ...{ recipients: ['a@alder.example', 'b@alder.example'], testId: 't-9', answered: true, dsn: null },
    });
    expect((await client.message(message?.file ?? '')).toString()).toBe(
      'Subject: x\r\nX-Test-Id: t-9\r\n\r\n.dot\r\n. two\r\n',
    );
    expect((await attempts()).map(({ recipient, outcome, stage }) => [recipient, outcome, stage])).toEqual([
      ['a@alder.example', 'delivered', 'dot'],
      ['b@alder.example', 'delivered', 'dot'],
    ]);
    expect(await client.counts()).toMatchObject({
      messages: 1,
      delivered: 2,
      peaks: { 'mx.alder.example': { [SOURCE]: 1 }, 'alder.example': { [SOURCE]: 1 } },
    });
  });

  test('know of each reply whether the client read it: one that just goes may not have', async () => {
    const polite = await greeted('mx.alder.example');
    await polite.send(['a@alder.example', 'b@alder.example']);
    await polite.say('QUIT');
    const rude = await greeted('mx.alder.example');
    await rude.send(['c@alder.example']);
    rude.leave();
    const answers = await until('both to be known', async () => {
      const known = (await client.records()).filter((one) => one.kind === 'answer');
      return known.length === 2 ? known : null;
    });
    const seqs = (await attempts()).map(({ seq }) => seq);
    expect(answers.map(({ of, read }) => [of, read])).toEqual([
      [seqs.slice(0, 2), true],
      [seqs.slice(2), false],
    ]);
    for (const { sentAt, at } of answers) expect(at - (sentAt ?? 0)).toBeLessThan(10_000);
  });

  test('greylist by network, sender and recipient, and take it later', async () => {
    await behave({ greylistSeconds: 0.3 });
    const talk = await greeted('mx.alder.example');
    expect(await talk.send(['a@alder.example'])).toMatch(/^451 /);
    const other = await greeted('mx.alder.example', '127.77.100.11');
    await until('the greylist to pass', async () =>
      (await other.send(['a@alder.example']))?.startsWith('250'),
    );
    expect(await talk.send(['new@alder.example'])).toMatch(/^451 /);
    expect((await attempts())[0]).toMatchObject({ outcome: 'deferred', stage: 'rcpt', testId: null });
  });

  test('defer for a while, refuse some, and take the others of the same transaction', async () => {
    await behave({ defer: { share: 1, forSeconds: 0.3 }, refuse: { localParts: ['nobody'] } });
    const talk = await greeted('mx.alder.example');
    expect(await talk.send(['a@alder.example'])).toMatch(/^452 /);
    await until('a time of acceptance', async () =>
      (await talk.send(['a@alder.example']))?.startsWith('250'),
    );
    expect(await talk.send(['nobody@alder.example', 'a@alder.example'])).toMatch(/^250/);
    const last = (await attempts()).slice(-2).map(({ recipient, outcome }) => [recipient, outcome]);
    expect(last).toEqual([
      ['nobody@alder.example', 'refused'],
      ['a@alder.example', 'delivered'],
    ]);
  });

  test.each([true, false])('drop after the dot, having recorded: %s', async (record) => {
    await behave({ dropAfterDot: { share: 1, record, times: 1 } });
    expect(await (await greeted('mx.alder.example')).send(['a@alder.example'])).toBeNull();
    expect((await messages()).map(({ answered }) => answered)).toEqual(record ? [false] : []);
    expect((await attempts())[0]).toMatchObject({ reply: null, outcome: record ? 'delivered' : 'deferred' });
    expect(await (await greeted('mx.alder.example')).send(['a@alder.example'])).toMatch(/^250/);
  });

  test('refuse the message itself', async () => {
    await behave({ refuseMessage: { share: 1, reply: '554 5.6.0 spam' } });
    expect(await (await greeted('mx.alder.example')).send(['a@alder.example'])).toBe('554 5.6.0 spam');
    expect((await attempts())[0]).toMatchObject({ outcome: 'refused', stage: 'dot', testId: 't-1' });
    expect(await messages()).toEqual([]);
  });

  test('are slow where they are told to be', async () => {
    await behave({ delayMs: { rcpt: 200 } });
    const talk = await greeted('mx.alder.example');
    await talk.say('MAIL FROM:<a@demo.example>');
    const began = performance.now();
    await talk.say('RCPT TO:<a@alder.example>');
    expect(performance.now() - began).toBeGreaterThan(190);
  });

  test('limit messages per connection and connections, with 421', async () => {
    await behave({ maxMessagesPerConnection: 1, maxConnections: 1 });
    const talk = await greeted('mx.alder.example');
    const second = await Talk.to('mx.alder.example');
    expect(await second.reply()).toMatch(/^421 /);
    expect(await talk.send(['a@alder.example'])).toMatch(/^250/);
    expect(await talk.say('MAIL FROM:<a@demo.example>')).toMatch(/^421 /);
    expect(await talk.reply()).toBeNull();
  });

  test.each(['good', 'self-signed', 'expired', 'wrong-name'] as const)(
    'TLS with a certificate: %s',
    async (tls) => {
      await behave({ tls });
      const talk = await greeted('mx.alder.example');
      const secure = await talk.secure();
      const { subject, issuer, valid_to } = secure.getPeerCertificate();
      expect(issuer.CN === 'Miniature Internet Root').toBe(tls !== 'self-signed');
      expect(subject.CN).toBe(tls === 'wrong-name' ? 'somewhere-else.example' : 'mx.alder.example');
      expect(Date.parse(valid_to) < Date.now()).toBe(tls === 'expired');
      await talk.say('EHLO mta1.demo.example');
      expect(await talk.send(['a@alder.example'])).toMatch(/^250/);
      expect((await messages())[0]).toMatchObject({ tls: 'TLSv1.3', ehlo: 'mta1.demo.example' });
    },
  );

  test('no TLS: neither offered nor taken', async () => {
    await behave({ tls: 'none' });
    expect(await (await greeted('mx.alder.example')).say('STARTTLS')).toMatch(/^502/);
  });

  test('take large messages and pipelined ones', async () => {
    const talk = await greeted('mx.alder.example');
    const line = `${'x'.repeat(76)}\r\n`;
    expect(await talk.send(['a@alder.example'], 't-2', line.repeat(70_000))).toMatch(/^250/);
    expect((await messages())[0]?.sizeBytes).toBeGreaterThan(5_400_000);
    const whole =
      'MAIL FROM:<a@demo.example>\r\nRCPT TO:<a@alder.example>\r\nDATA\r\nX-Test-Id: p\r\n\r\nx\r\n.\r\nQUIT';
    const replies = [await talk.say(whole)];
    while (replies.at(-1)) replies.push(await talk.reply());
    expect(replies.map((reply) => reply?.slice(0, 3))).toEqual([
      '250',
      '250',
      '354',
      '250',
      '221',
      undefined,
    ]);
  });
});

describe('the DNS', () => {
  test('answers over UDP, and over TCP what is too long for it', async () => {
    expect(await resolver.resolveMx('alder.example')).toMatchObject([
      { priority: 10, exchange: 'mx.alder.example' },
    ]);
    const key = `v=DKIM1; p=${'A'.repeat(1500)}`;
    await client.setDns([{ name: 'pf1._domainkey.demo.example', type: 'TXT', data: key }]);
    expect((await resolver.resolveTxt('pf1._domainkey.demo.example')).map((parts) => parts.join(''))).toEqual(
      [key],
    );
    expect((await client.counts()).dnsQuestions['TXT pf1._domainkey.demo.example']).toBeGreaterThan(1);
  });

  test('fails as it is told: SERVFAIL, NXDOMAIN, no answer, a late one', async () => {
    const fails = (name: string) =>
      resolver.resolve4(name).then(
        () => 'answered',
        (error: { code: string }) => error.code,
      );
    await client.setDnsFaults([
      { name: 'mx.alder.example', rcode: 'SERVFAIL' },
      { name: 'mx.birch.example', rcode: 'NXDOMAIN' },
      { name: 'mx.cedar.example', drop: true },
      { name: 'mx.elm.example', delayMs: 100 },
    ]);
    expect(await fails('mx.alder.example')).toBe('ESERVFAIL');
    expect(await fails('mx.birch.example')).toBe('ENOTFOUND');
    expect(await fails('mx.cedar.example')).toBe('ETIMEOUT');
    const began = performance.now();
    expect(await fails('mx.elm.example')).toBe('answered');
    expect(performance.now() - began).toBeGreaterThan(95);
    await client.setDnsFaults([]);
    expect(await fails('mx.alder.example')).toBe('answered');
  });
});

describe('the control', () => {
  test('refuses what it does not know, with words', async () => {
    await expect(client.setBehaviour('nobody.example', {})).rejects.toThrow(
      /nobody is called nobody.example/,
    );
    await expect(client.message('../../etc/passwd')).rejects.toThrow(/no message file/);
  });

  test('answers thousands who ask at once: more than the queue of its socket holds', async () => {
    const answers = await Promise.all(Array.from({ length: 3000 }, () => client.ca()));
    expect(new Set(answers).size).toBe(1);
  });

  test('streams records as they come', async () => {
    const stop = new AbortController();
    const seen: InternetRecord[] = [];
    const following = (async () => {
      for await (const record of client.follow(stop.signal)) {
        seen.push(record);
        if (seen.length === 2) stop.abort();
      }
    })();
    await (await greeted('mx.alder.example')).send(['a@alder.example']);
    await following;
    expect(seen.map(({ kind }) => kind)).toEqual(['message', 'attempt']);
  });

  test('what was recorded survives the process', async () => {
    await (await greeted('mx.alder.example')).send(['a@alder.example']);
    const before = await client.records();
    await internet.stop('SIGTERM');
    expect(internet.process.exitCode).toBe(0);
    await start(ports);
    expect(await client.records()).toEqual(before);
  });
});
