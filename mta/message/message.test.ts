import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { dkimVerify } from 'mailauth/lib/dkim/verify.js';
import { convertMessage } from './convert.ts';
import { headerNeedsUtf8 } from './convert_fields.ts';
import { dkimSignatures, readDkimKey } from './dkim.ts';
import { type Entity, joinEntity, splitEntity } from './fields.ts';
import { isPlain, normaliseLineEnds } from './lines.ts';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ed = generateKeyPairSync('ed25519');
const pem = (pair: { privateKey: { export(o: object): string | Buffer } }) =>
  String(pair.privateKey.export({ type: 'pkcs8', format: 'pem' }));
const keys = [readDkimKey('send.example', 'rsa', pem(rsa)), readDkimKey('send.example', 'ed', pem(ed))];
const records: Record<string, string> = {
  'rsa._domainkey.send.example': `v=DKIM1; k=rsa; p=${rsa.publicKey.export({ type: 'spki', format: 'der' }).toString('base64')}`,
  'ed._domainkey.send.example': `v=DKIM1; k=ed25519; p=${ed.publicKey.export({ type: 'spki', format: 'der' }).subarray(-32).toString('base64')}`,
};
const resolver = async (name: string, type: string) => {
  const record = type === 'TXT' ? records[name] : undefined;
  if (!record) throw Object.assign(new Error('none'), { code: 'ENOTFOUND' });
  return [[record]];
};

async function signed(entity: Entity): Promise<Buffer> {
  const added = await dkimSignatures(entity.fields, entity.body, keys, 1_700_000_000);
  return joinEntity({ fields: [...added, ...entity.fields], body: entity.body });
}
async function verdicts(message: Buffer): Promise<string[]> {
  const { results } = await dkimVerify(message, { resolver: resolver as never });
  return results.map(({ status }) => String(status.result));
}
const prepare = (text: Buffer | string) => {
  const entity = splitEntity(normaliseLineEnds(Buffer.from(text)));
  const utf8 = headerNeedsUtf8(entity.fields);
  return { utf8, entity: convertMessage(entity, utf8) };
};

const line = fc.oneof(
  fc.string({ maxLength: 80 }),
  fc.string({ unit: 'grapheme', maxLength: 60 }),
  fc.constantFrom(
    '',
    '.',
    '..',
    'From x',
    ' ',
    '\t',
    '=',
    '-- ',
    '--b',
    '--b--',
    'x'.repeat(1500),
    'é'.repeat(700),
  ),
);
const body = fc
  .array(fc.tuple(line, fc.constantFrom('\r\n', '\r\n', '\n', '\r')))
  .map((all) => all.flat().join(''));
const words = fc
  .string({ unit: 'grapheme', maxLength: 120 })
  .map((text) => text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, ' '));
const leaf = fc.tuple(
  fc.constantFrom(
    '',
    'Content-Type: text/plain; charset=utf-8\r\n',
    'Content-Type: image/png\r\n',
    'Content-Type: text/html\r\n',
  ),
  fc.constantFrom(
    '',
    'Content-Transfer-Encoding: 8bit\r\n',
    'Content-Transfer-Encoding: quoted-printable\r\n',
    'Content-Transfer-Encoding: base64\r\n',
  ),
  body,
);
const part = leaf.map(([type, encoding, text]) => `${type}${encoding}\r\n${text}`);
const multipart = fc
  .tuple(fc.array(part, { maxLength: 3 }), fc.boolean(), words)
  .map(([parts, closed, preamble]) => {
    const head = 'MIME-Version: 1.0\r\nContent-Type: multipart/mixed;\r\n boundary=b\r\n\r\n';
    return `${head}${preamble}\r\n--b\r\n${parts.join('\r\n--b\r\n')}\r\n${closed ? '--b--\r\n' : ''}`;
  });
const message = fc
  .tuple(words, words, fc.oneof(part, multipart))
  .map(([subject, name, rest]) =>
    Buffer.from(
      `From: "${name.replace(/["\\]/g, '')}" <a@send.example>\r\nTo: b@x.example\r\nSubject: ${subject}\r\n${rest}`,
    ),
  );

test('whatever goes in comes out plain, and mailauth verifies both signatures', async () => {
  await fc.assert(
    fc.asyncProperty(message, async (text) => {
      const { entity, utf8 } = prepare(text);
      const out = await signed(entity);
      expect(utf8).toBe(false);
      expect(isPlain(out)).toBe(true);
      expect(out.toString('latin1').replaceAll('\r\n', '')).not.toMatch(/[\r\n]/);
      expect(await verdicts(out)).toEqual(['pass', 'pass']);
    }),
    { numRuns: 150 },
  );
}, 60_000);

test('converting twice changes nothing more', () => {
  fc.assert(
    fc.property(message, (text) => {
      const once = joinEntity(prepare(text).entity);
      expect(joinEntity(prepare(once).entity).equals(once)).toBe(true);
    }),
    { numRuns: 100 },
  );
});

test('a changed byte or an added From breaks the signatures', async () => {
  const out = await signed(splitEntity(Buffer.from('From: a@send.example\r\nSubject: s\r\n\r\nbody\r\n')));
  expect(await verdicts(out)).toEqual(['pass', 'pass']);
  const changed = Buffer.from(out.toString().replace('body', 'bodY'));
  expect(await verdicts(changed)).not.toContain('pass');
  expect(await verdicts(Buffer.concat([Buffer.from('From: evil@send.example\r\n'), out]))).not.toContain(
    'pass',
  );
  expect(await verdicts(Buffer.concat([Buffer.from('Reply-To: evil@x.example\r\n'), out]))).not.toContain(
    'pass',
  );
});

test.each([
  ['empty body', 'From: a@send.example\r\n\r\n'],
  ['no body at all', 'From: a@send.example\r\n'],
  ['only empty lines', 'From: a@send.example\r\n\r\n\r\n\r\n\r\n'],
  ['no line end at the end', 'From: a@send.example\r\n\r\nx'],
  ['spaces everywhere', 'From:\ta@send.example  \r\nSubject:  a \t b \r\n\t c\r\n\r\nx  \r\n \r\n'],
  ['a UTF-8 subject ending in 0xA0', 'From: a@send.example\r\nSubject: voilà\r\n\r\nx\r\n'],
])('mailauth verifies %s', async (_, text) => {
  expect(await verdicts(await signed(splitEntity(Buffer.from(text))))).toEqual(['pass', 'pass']);
});
