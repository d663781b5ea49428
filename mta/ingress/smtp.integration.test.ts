import { dkimVerify } from 'mailauth/lib/dkim/verify.js';
import { until } from '../../e2e/rig/servers.ts';
import { addSuppressed } from '../../gateway/suppression.ts';
import { isPlain } from '../message/lines.ts';
import { Client } from './test_client.ts';
import { startTestbed, type Testbed } from './testbed.ts';

let bed: Testbed;
let client: Client;
beforeAll(async () => {
  bed = await startTestbed();
}, 60_000);
afterAll(async () => {
  await bed?.stop();
}, 60_000);
beforeEach(async () => {
  await bed.empty();
  client = await Client.authenticated(bed.ingress.ports.submissions, bed.keyId, bed.token);
});
afterEach(() => client.end());

const message = (extra = '', body = 'Hello\r\n') =>
  `From: Ann <ann@send.example>\r\nTo: bob@x.example\r\nSubject: Hi\r\n${extra}\r\n${body}`;
const from = 'ann@send.example';

async function verdicts(text: Buffer): Promise<string[]> {
  const { results } = await dkimVerify(text, { resolver: bed.resolver as never });
  return results.map(({ status }) => String(status.result));
}

describe('SMTP', () => {
  test('AUTH only after STARTTLS, and no mail without it; then a message becomes one signed parcel', async () => {
    const plain = await Client.connect(bed.ingress.ports.submission);
    const ehlo = await plain.say('EHLO client.example');
    for (const word of [
      'PIPELINING',
      '8BITMIME',
      'SMTPUTF8',
      'ENHANCEDSTATUSCODES',
      'STARTTLS',
      'SIZE 500000',
    ])
      expect(ehlo).toContain(word);
    expect(await plain.say('AUTH PLAIN AGEAYg==')).toMatch(/^538 5\.7\.0/);
    expect(await plain.say(`MAIL FROM:<${from}>`)).toMatch(/^530 5\.7\.0/);
    await plain.startTls();
    await plain.say('EHLO client.example');
    const login = Buffer.from(`\0acme\0${bed.token}`).toString('base64');
    expect(await plain.say(`AUTH PLAIN ${login}`)).toMatch(/^235 2\.7\.0/);
    expect(
      await plain.send(
        from,
        ['Bob@X.example', 'bob@x.EXAMPLE', 'c@x.example'],
        message('Bcc: secret@x.example\r\nX-Postfleet-Class: bulk\r\nX-Postfleet-Engaged: Yes\r\n'),
      ),
    ).toMatch(/^250 2\.6\.0 accepted as [0-9a-f]{32}$/);
    plain.end();
    const [parcel, ...more] = await bed.parcels();
    expect(more).toEqual([]);
    expect(parcel).toMatchObject({
      account: 'acme',
      pool: 'test/main',
      sendingDomain: 'send.example',
      priorityClass: 'bulk',
      engaged: true,
      from,
      hop: 0,
      smtpUtf8: false,
      isNotification: false,
    });
    expect(parcel?.recipients.map(({ address }) => address)).toEqual(['bob@x.example', 'c@x.example']);
    const text = parcel?.message.toString() ?? '';
    expect(text).not.toMatch(/bcc|x-postfleet/i);
    expect(text).toMatch(
      /\r\nReceived: from client\.example \(\[127\.0\.0\.1\]\)\r\n by mx\.ingress\.example with ESMTPSA id [0-9a-f]{32};/,
    );
    expect(text).toMatch(/\r\nMessage-ID: <[0-9a-f]{32}@send\.example>\r\n/);
    expect(await verdicts(parcel?.message ?? Buffer.alloc(0))).toEqual(['pass', 'pass']);
  });

  test.each([
    ['a wrong password', 'pf_000000000000_'.padEnd(80, '0'), /^535 5\.7\.8 /],
    ['no token at all', 'secret', /^535 5\.7\.8 /],
  ])('%s is refused', async (_, password, expected) => {
    const other = await Client.connect(bed.ingress.ports.submissions, true);
    await other.say('EHLO client.example');
    expect(await other.say(`AUTH PLAIN ${Buffer.from(`\0acme\0${password}`).toString('base64')}`)).toMatch(
      expected,
    );
    other.end();
  });

  test('a right key under a wrong name is refused, and the third failure ends the connection', async () => {
    const other = await Client.connect(bed.ingress.ports.submissions, true);
    await other.say('EHLO client.example');
    const login = `AUTH PLAIN ${Buffer.from(`\0other\0${bed.token}`).toString('base64')}`;
    expect(await other.say(login)).toMatch(/^535 5\.7\.8/);
    expect(await other.say(login)).toMatch(/^535 5\.7\.8/);
    expect(await other.say(login)).toMatch(/^421 4\.7\.0/);
    expect(await other.reply()).toBe('closed');
  });

  test.each([
    [
      'an unknown sender domain in From',
      'ann@nowhere.example',
      message().replace('ann@send', 'ann@nowhere'),
      /^550 5\.7\.1 nowhere\.example is not a sending domain/,
    ],
    [
      'an unknown domain in From only',
      from,
      message().replace('ann@send', 'ann@nowhere'),
      /^550 5\.7\.1 nowhere\.example/,
    ],
    ['a foreign envelope sender', 'ann@nowhere.example', message(), /^550 5\.7\.1 nowhere\.example/],
    ['no From', from, 'Subject: x\r\n\r\nx\r\n', /^554 5\.6\.0 /],
    ['two From fields', from, message('From: eve@send.example\r\n'), /^554 5\.6\.0 /],
    [
      'two addresses in From',
      from,
      message().replace('Ann <ann@send.example>', 'ann@send.example, eve@x.example'),
      /^554 5\.6\.0 /,
    ],
    ['a loop', from, message('Received: from a by b; x\r\n'.repeat(50)), /^554 5\.4\.6 mail loop/],
    [
      'an unknown class',
      from,
      message('X-Postfleet-Class: urgent\r\n'),
      /^554 5\.5\.4 "urgent" is no priority class/,
    ],
    ['a message over the limit', from, message('', 'x\r\n'.repeat(200_000)), /^552 5\.3\.4 /],
  ])('%s is refused, and nothing is stored', async (_, sender, text, expected) => {
    expect(await client.send(sender, ['bob@x.example'], text)).toMatch(expected);
    expect(await bed.parcels()).toEqual([]);
    expect(await client.say('RSET')).toMatch(/^250/);
  });

  test.each([
    ['MAIL FROM:<ann@send.example> SIZE=500001', /^552 5\.3\.4/],
    ['MAIL FROM:<ann@send.example> FOO=1', /^555 5\.5\.4/],
    ['MAIL FROM:<ann@send.example> SIZE=1 SIZE=1', /^501 5\.5\.4/],
    ['MAIL FROM:<ann@[192.0.2.1]>', /^553 5\.1\.7 address literals/],
    ['MAIL FROM:<jürgen@send.example>', /^553 5\.6\.7/],
    ['MAIL FROM:ann@send.example', /^501 5\.1\.7/],
    ['MAIL FROM:<>', /^250 2\.1\.0/],
    ['WIZ x', /^500 5\.5\.2/],
    ['RCPT TO:<bob@x.example>', /^503 5\.5\.1/],
    ['DATA', /^503 5\.5\.1/],
  ])('%s', async (command, expected) => {
    expect(await client.say(command)).toMatch(expected);
  });

  test.each([
    ['RCPT TO:<bob@localhost>', /^553 5\.1\.3/],
    ['RCPT TO:<bob@[192.0.2.1]>', /^553 5\.1\.3/],
    ['RCPT TO:<"bob@home"@x.example>', /^250 2\.1\.5/],
    ['RCPT TO:<bob@bücher.example>', /^250 2\.1\.5/],
    ['RCPT TO:<@relay.example:bob@x.example>', /^250 2\.1\.5/],
    [`RCPT TO:<${'b'.repeat(65)}@x.example>`, /^553 5\.1\.3/],
    ['RCPT TO:<>', /^501/],
    ['RCPT TO:<bob@x.example> NOTIFY=NEVER', /^555 5\.5\.4/],
  ])('%s', async (command, expected) => {
    await client.say(`MAIL FROM:<${from}>`);
    expect(await client.say(command)).toMatch(expected);
  });

  test('a suppressed recipient is refused, the others are taken', async () => {
    await addSuppressed(bed.database, 'acme', ['Gone@x.example']);
    await client.say(`MAIL FROM:<${from}>`);
    expect(await client.say('RCPT TO:<gone@X.example>')).toMatch(
      /^550 5\.7\.1 <gone@x\.example> is on the suppression list of account acme/,
    );
    expect(await client.say('RCPT TO:<bob@x.example>')).toMatch(/^250/);
  });

  test('the 1001st recipient is told to come later', async () => {
    await client.say(`MAIL FROM:<${from}>`);
    client.write(Array.from({ length: 1001 }, (_, i) => `RCPT TO:<u${i}@x.example>\r\n`).join(''));
    for (let i = 0; i < 1000; i++) expect(await client.reply()).toMatch(/^250/);
    expect(await client.reply()).toMatch(/^452 4\.5\.3/);
  });

  test('a repeat with the same Message-ID and content is the same parcel, stored once', async () => {
    const text = message('Message-ID: <1@client>\r\n');
    const first = await client.send(from, ['bob@x.example'], text);
    expect(await client.send(from, ['bob@x.example'], text)).toBe(first);
    expect(await bed.parcels()).toHaveLength(1);
    expect(await client.send(from, ['bob@x.example'], `${text}more\r\n`)).not.toBe(first);
    expect(await client.send(from, ['carl@x.example'], text)).not.toBe(first);
    expect(await bed.parcels()).toHaveLength(3);
  });

  test('an account that may not send for a domain is refused, also from one moment to the next', async () => {
    await bed.putDomain('send.example', { accounts: ['other'] });
    await until('the change arrives', async () =>
      /^550 5\.7\.1 account acme may not/.test(await client.send(from, ['bob@x.example'], message())),
    );
    await bed.putDomain('send.example', {});
    await until('the change arrives', async () =>
      /^250/.test(await client.send(from, ['bob@x.example'], message())),
    );
  });

  test('with a return path the envelope sender gets its domain', async () => {
    await bed.putDomain('rp.example', { returnPath: 'bounce.rp.example' });
    const text = message().replace('ann@send.example', 'ann@rp.example');
    expect(await client.send('anyone@elsewhere.example', ['bob@x.example'], text)).toMatch(/^250/);
    expect((await bed.parcels())[0]?.from).toBe('anyone@bounce.rp.example');
  });

  test.each([
    ['\\n.\\n', '\n.\n'],
    ['\\r\\n.\\n', '\r\n.\n'],
    ['\\n.\\r\\n', '\n.\r\n'],
    ['\\r.\\r', '\r.\r'],
    ['\\r\\n.\\r', '\r\n.\r'],
    ['\\r\\r\\n.\\r\\r\\n', '\r\r\n.\r\r\n'],
    ['\\0\\r\\n.\\0\\r\\n', '\0\r\n.\0\r\n'],
  ])('%s does not end a message, and no bare line end leaves', async (_, end) => {
    const smuggled = `MAIL FROM:<${from}>\r\nRCPT TO:<victim@x.example>\r\nDATA\r\n${message()}\r\n.\r\n`;
    expect(await client.send(from, ['bob@x.example'], `${message()}${end}${smuggled}`)).toMatch(/^250/);
    // What follows the first real end is command lines of another transaction, as any client may send.
    const parcels = await bed.parcels();
    const first = parcels.find(({ recipients }) => recipients[0]?.address === 'bob@x.example');
    expect(first?.message.toString()).toContain('victim@x.example');
    for (const { message: text } of parcels) {
      expect(text.toString('latin1').replaceAll('\r\n', '')).not.toMatch(/[\r\n\0]/);
      expect(await verdicts(text)).toEqual(['pass', 'pass']);
    }
  });

  test('a flood of pipelined commands in one packet is answered, and the process lives', async () => {
    client.write('NOOP\r\n'.repeat(20_000));
    for (let i = 0; i < 20_000; i++) expect(await client.reply()).toMatch(/^250/);
    client.write(`${'x'.repeat(20_000)}\r\n`);
    expect(await client.reply()).toMatch(/^421/);
  });

  test('pipelined transactions in one packet are answered in step', async () => {
    const one = (i: number) =>
      `MAIL FROM:<${from}>\r\nRCPT TO:<u${i}@x.example>\r\nDATA\r\n${message()}.\r\n`;
    client.write(Array.from({ length: 20 }, (_, i) => one(i)).join(''));
    for (let i = 0; i < 20; i++) {
      for (const expected of [/^250 2\.1\.0/, /^250 2\.1\.5/, /^354/, /^250 2\.6\.0/])
        expect(await client.reply()).toMatch(expected);
    }
    expect(await bed.parcels()).toHaveLength(20);
  });

  test('a client that goes away in the middle of a message leaves nothing', async () => {
    await client.say(`MAIL FROM:<${from}>`);
    await client.say('RCPT TO:<bob@x.example>');
    await client.say('DATA');
    client.write(message());
    client.end();
    const next = await Client.authenticated(bed.ingress.ports.submissions, bed.keyId, bed.token);
    expect(await next.send(from, ['carl@x.example'], message())).toMatch(/^250/);
    next.end();
    expect((await bed.parcels()).map(({ recipients }) => recipients[0]?.address)).toEqual(['carl@x.example']);
  });

  test.each([
    ['an 8-bit body', Buffer.from(message('', 'Grüße aus Köln\r\n'))],
    ['8 bits that are no UTF-8', Buffer.from(message('', 'Gr\xfc\xdfe\r\n'), 'latin1')],
    ['a line of 100,000', Buffer.from(message('', `${'x'.repeat(100_000)}\r\n`))],
    [
      'UTF-8 in Subject and names',
      Buffer.from(message('Cc: "Jürgen, Zoë" <j@x.example>\r\n').replace('Hi', 'Grüße 🎉')),
    ],
    ['bare line ends', Buffer.from(message().replaceAll('\r\n', '\n'))],
    [
      'a multipart of all kinds',
      Buffer.from(
        message(
          'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n',
          '--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGrüße\r\n--b\r\nContent-Type: image/png; name="ü.png"\r\nContent-Transfer-Encoding: binary\r\n\r\n\x01é\r\n--b--\r\n',
        ),
      ),
    ],
  ])('%s leaves as ASCII with lines of at most 998, and both signatures hold', async (_, text) => {
    expect(await client.send(from, ['bob@x.example'], text)).toMatch(/^250/);
    const sent = (await bed.parcels())[0]?.message ?? Buffer.alloc(0);
    expect(sent.toString('latin1')).toMatch(/^(?:[^\r\n]{0,998}\r\n)+$/);
    expect(isPlain(sent)).toBe(true);
    expect(await verdicts(sent)).toEqual(['pass', 'pass']);
  });

  test('an address beyond ASCII keeps the message as it is, for SMTPUTF8', async () => {
    expect(await client.say(`MAIL FROM:<${from}> SMTPUTF8 BODY=8BITMIME`)).toMatch(/^250/);
    expect(await client.say('RCPT TO:<jürgen@bücher.example>')).toMatch(/^250/);
    await client.say('DATA');
    client.write(message('', 'Grüße\r\n').replace('Hi', 'Grüße'));
    expect(await client.say('.')).toMatch(/^250/);
    const [parcel] = await bed.parcels();
    expect(parcel?.smtpUtf8).toBe(true);
    expect(parcel?.recipients[0]?.address).toBe('jürgen@xn--bcher-kva.example');
    expect(parcel?.message.toString()).toContain('Subject: Grüße\r\n');
    expect(await verdicts(parcel?.message ?? Buffer.alloc(0))).toEqual(['pass', 'pass']);
  });
});
