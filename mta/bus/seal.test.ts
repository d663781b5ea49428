import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { openKey, parseSealingKey, SealError, sealKey } from './seal.ts';

const key = randomBytes(32);

test('what is sealed opens again, and no two sealings are equal', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (pem) => {
      const sealed = sealKey(pem, key);
      expect(openKey(sealed, key)).toBe(Buffer.from(pem).toString());
      expect(sealKey(pem, key)).not.toBe(sealed);
    }),
  );
});

test('the key itself is not readable in the sealed text', () => {
  const sealed = sealKey('-----BEGIN PRIVATE KEY-----', key);
  expect(Buffer.from(sealed.slice(3), 'base64').includes('PRIVATE')).toBe(false);
});

test('another key, a changed byte, a cut or an unknown version is refused', () => {
  const sealed = sealKey('secret', key);
  const bytes = Buffer.from(sealed.slice(3), 'base64');
  bytes[20] = (bytes[20] ?? 0) ^ 1;
  expect(() => openKey(sealed, randomBytes(32))).toThrow(SealError);
  expect(() => openKey(`v1.${bytes.toString('base64')}`, key)).toThrow(SealError);
  expect(() => openKey(sealed.slice(0, 20), key)).toThrow(SealError);
  expect(() => openKey(sealed.slice(3), key)).toThrow(SealError);
});

test('a sealing key has 32 bytes', () => {
  expect(parseSealingKey(`${key.toString('base64')}\n`)).toEqual(key);
  expect(() => parseSealingKey('c2hvcnQ=')).toThrow('5 bytes');
});
