import { headerBlock, headerValue } from './headers.ts';
import { type Generated, generateAll } from './messages.ts';
import { demoWorld, UTF8_DOMAIN } from './world.ts';

const domains = demoWorld().domains.map(({ domain }) => domain);
const make = async (count: number, seed = 1): Promise<Generated[]> =>
  generateAll({ seed, count, senderDomain: 'demo.example', domains });
let mail: Generated[];
beforeAll(async () => {
  mail = await make(200);
});

test('the same seed gives the same bytes, another seed others', async () => {
  const again = await make(60);
  expect(again.map(({ message }) => message.toString('latin1'))).toEqual(
    mail.slice(0, 60).map(({ message }) => message.toString('latin1')),
  );
  expect((await make(3, 2)).map(({ message }) => message)).not.toEqual(
    mail.slice(0, 3).map(({ message }) => message),
  );
});

test('every message carries its number and is in CRLF lines', () => {
  for (const { testId, message } of mail) {
    expect(headerValue(headerBlock(message), 'X-Test-Id')).toBe(testId);
    expect(/[^\r]\n/.test(message.toString('latin1'))).toBe(false);
  }
  expect(new Set(mail.map(({ testId }) => testId)).size).toBe(mail.length);
});

test('all kinds are there, the large ones are rare, typical mail is about 10 KB', () => {
  const kinds = Map.groupBy(mail, ({ kind }) => kind);
  expect([...kinds.keys()].sort()).toEqual(
    ['attachment', 'html', 'invitation', 'longLines', 'plain', 'quotedPrintable', 'utf8'].sort(),
  );
  expect(kinds.get('attachment')).toHaveLength(2);
  for (const { message } of kinds.get('attachment') ?? []) expect(message.length).toBeGreaterThan(5_000_000);
  const sizes = mail.map(({ message }) => message.length).sort((a, b) => a - b);
  const median = sizes[100] ?? 0;
  expect(median).toBeGreaterThan(6_000);
  expect(median).toBeLessThan(16_000);
});

test('each kind is what its name says', () => {
  const textOf = (kind: string) => mail.find((one) => one.kind === kind)?.message.toString('utf8') ?? '';
  expect(textOf('html')).toMatch(/Content-Id: <logo@postfleet>/i);
  expect(textOf('invitation')).toMatch(/text\/calendar.*method=REQUEST/is);
  expect(textOf('quotedPrintable')).toMatch(/Content-Transfer-Encoding: quoted-printable/i);
  expect(textOf('utf8')).toMatch(/^Subject: =\?UTF-8\?/m);
  expect(
    Math.max(
      ...textOf('longLines')
        .split('\r\n')
        .map(({ length }) => length),
    ),
  ).toBeGreaterThan(998);
});

test('recipients: all domains, several at a time, UTF-8 only where it is understood', () => {
  const all = mail.flatMap(({ recipients }) => recipients);
  expect(new Set(all.map((address) => address.split('@')[1])).size).toBe(domains.length);
  expect(mail.some(({ recipients }) => recipients.length > 2)).toBe(true);
  const utf8 = all.filter((address) => /[^ -~]/.test(address));
  expect(utf8.length).toBeGreaterThan(0);
  expect(utf8.every((address) => address.endsWith(`@${UTF8_DOMAIN}`))).toBe(true);
  expect(new Set(all).size).toBe(all.length);
});

test('the world has twenty domains, and addresses that do not collide', () => {
  const world = demoWorld();
  expect(world.domains).toHaveLength(20);
  const addresses = [...world.hosts, ...world.deadHosts].map(({ address }) => address);
  expect(new Set(addresses).size).toBe(addresses.length);
});
