import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { convertMessage } from './convert.ts';
import { joinEntity, MessageFault, splitEntity } from './fields.ts';
import { decodeQuotedPrintable, encodeQuotedPrintable } from './quoted_printable.ts';

const convert = (text: string | Buffer, keepUtf8 = false) =>
  joinEntity(convertMessage(splitEntity(Buffer.from(text)), keepUtf8)).toString();
const head = 'From: a@x.example\r\nMIME-Version: 1.0\r\n';

test('quoted-printable gives back what went in, in lines of at most 76', () => {
  const text = fc
    .array(
      fc.oneof(
        fc.uint8Array({ maxLength: 90 }),
        fc.constant(Buffer.from('\r\n')),
        fc.constant(Buffer.from(' \t')),
      ),
    )
    .map(Buffer.concat);
  fc.assert(
    fc.property(text, (given) => {
      const encoded = encodeQuotedPrintable(given);
      expect(encoded.toString('latin1')).toMatch(/^(?:[ -~\t]{0,76}(?:\r\n|$))*$/);
      expect(decodeQuotedPrintable(encoded).equals(given)).toBe(true);
    }),
  );
});

test('what is plain stays byte for byte', () => {
  const plain = `${head}Content-Type: multipart/mixed; boundary=b\r\nX-Odd:\tvalue  \r\n\r\npre\r\n--b  \r\n\r\nx\r\n--b--\r\nepilogue`;
  expect(convert(plain)).toBe(plain);
});

test.each([
  [
    'no Content-Type',
    'From: a@x.example\r\n\r\nViele Grüße aus der Stadt\r\n',
    /Content-Type: text\/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\nMIME-Version: 1\.0\r\n\r\nViele Gr=C3=BC=C3=9Fe aus der Stadt\r\n$/,
  ],
  [
    'latin1',
    Buffer.from('From: a@x.example\r\n\r\nViele Gr\xfc\xdfe\r\n', 'latin1'),
    /charset=unknown-8bit\r\n(?:.*\r\n)*Viele Gr=FC=DFe\r\n$/,
  ],
  [
    '8bit is replaced where it stands',
    `${head}Content-Transfer-Encoding: 8bit\r\nContent-Type: text/html; charset=utf-8\r\n\r\nü\r\n`,
    /Content-Transfer-Encoding: base64\r\nContent-Type: text\/html/,
  ],
  [
    'an image',
    `${head}Content-Type: image/png\r\nContent-Transfer-Encoding: binary\r\n\r\né`,
    /Content-Transfer-Encoding: base64\r\n\r\nw6k=\r\n$/,
  ],
  [
    'base64 in one line',
    `${head}Content-Transfer-Encoding: base64\r\n\r\n${'QUJD'.repeat(400)}\r\n`,
    /\r\n\r\n(?:[A-Za-z0-9]{76}\r\n)+/,
  ],
  [
    'Subject',
    'Subject: Grüße\r\nFrom: a@x.example\r\n\r\nx\r\n',
    /^Subject: =\?utf-8\?B\?R3LDvMOfZQ==\?=\r\n/,
  ],
  [
    'names',
    'From: "Jürgen, M." <a@bücher.example>, b <c@x.example>\r\n\r\nx\r\n',
    /^From: =\?utf-8\?B\?SsO8cmdlbiwgTS4=\?= <a@xn--bcher-kva\.example>, b\r\n <c@x\.example>\r\n/,
  ],
  [
    'a file name',
    'From: a@x.example\r\nContent-Disposition: attachment; filename="ü.txt"\r\n\r\nx\r\n',
    /filename\*0?\*=utf-8''%C3%BC\.txt/,
  ],
])('%s', (_, given, expected) => {
  expect(convert(given)).toMatch(expected);
});

test('only the leaf that needs it changes, and what surrounds it stays', () => {
  const part = (type: string, body: string) => `--b\r\nContent-Type: ${type}\r\n\r\n${body}\r\n`;
  const nested = `--b\r\nContent-Type: message/rfc822\r\n\r\nFrom: n@x.example\r\nSubject: ü\r\n\r\nü\r\n\r\n`;
  const given = `${head}Content-Type: multipart/mixed; boundary="b"\r\nContent-Transfer-Encoding: 8bit\r\n\r\npré\r\n${part('text/plain', 'plain = text')}${part('text/plain; charset=utf-8', 'text with an ü in it')}${nested}--b--\r\n`;
  const out = convert(given);
  expect(out).toContain(part('text/plain', 'plain = text'));
  expect(out).toContain('text with an =C3=BC in it\r\n--b\r\n');
  expect(out).toContain('Content-Transfer-Encoding: 7bit');
  expect(out).toMatch(/Subject: =\?utf-8\?B\?w7w=\?=\r\n/);
  expect(out).toContain('\r\n\r\npr??\r\n--b\r\n');
});

test('a signed multipart with 8-bit text stays as it is: the signature covers it', () => {
  const signed = `${head}Content-Type: multipart/signed; boundary=b; protocol="application/pgp-signature"\r\n\r\n--b\r\n\r\nü\r\n--b--\r\n`;
  expect(convert(signed)).toBe(signed);
});

test('with SMTPUTF8 UTF-8 stays, long lines do not', () => {
  const text = `${head}Subject: ü\r\n\r\nü\r\n`;
  expect(convert(text, true)).toBe(text);
  expect(convert(`${head}Subject: ü\r\n\r\n${'ü'.repeat(600)}\r\n`, true)).toMatch(
    /Content-Transfer-Encoding: base64/,
  );
});

test.each([
  [
    'nesting without end',
    `${head}${Array.from({ length: 60 }, (_, i) => `Content-Type: multipart/mixed; boundary=b${i}\r\n\r\n--b${i}\r\n`).join('')}\r\nü`,
  ],
  ['an encoding nobody knows', `${head}Content-Transfer-Encoding: x-uuencode\r\n\r\nü`],
  ['a header word over 998', `From: a@x.example\r\nX-A: ${'x'.repeat(1200)}\r\n\r\nx`],
])('%s is refused', (_, text) => {
  expect(() => convert(text)).toThrow(MessageFault);
});

test('a message of a megabyte of hostile structure is judged in time', () => {
  const start = performance.now();
  for (const body of [
    '--b\r\n'.repeat(60_000),
    `${'--bx\r\n'.repeat(60_000)}ü`,
    `${'ü\r\n'.repeat(250_000)}`,
    '\r'.repeat(300_000),
  ])
    convert(`${head}Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n${body}ü\r\n--b--\r\n`);
  expect(performance.now() - start).toBeLessThan(5000);
});

test('this very file, as an attachment of a letter, comes back', () => {
  const file = readFileSync(import.meta.filename)
    .toString()
    .replaceAll('\n', '\r\n');
  const mark = 'z'.repeat(9);
  const given = `${head}Content-Type: multipart/mixed; boundary=${mark}\r\n\r\n--${mark}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n${file}\r\n--${mark}--\r\n`;
  const part = convert(given).split(`--${mark}`)[1] ?? '';
  expect(decodeQuotedPrintable(Buffer.from(part.slice(part.indexOf('\r\n\r\n') + 4, -2))).toString()).toBe(
    file,
  );
});
