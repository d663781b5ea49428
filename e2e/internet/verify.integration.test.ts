// Both verifiers on messages signed by mailauth's signer, good and tampered with.
import { generateKeyPairSync } from 'node:crypto';
import { dkimSign } from 'mailauth/lib/dkim/sign.js';
import { generateAll } from './messages.ts';
import { sumUp, verifyWithDkimpy, verifyWithMailauth } from './verify.ts';

const pem = { type: 'pkcs8', format: 'pem' } as const;
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ed = generateKeyPairSync('ed25519');
const spki = rsa.publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
const raw = ed.publicKey.export({ type: 'spki', format: 'der' }).subarray(-32).toString('base64');
const keys = {
  'pf1._domainkey.demo.example': `v=DKIM1; k=rsa; p=${spki}`,
  'pf2._domainkey.demo.example': `v=DKIM1; k=ed25519; p=${raw}`,
};

let signed: Buffer[];
beforeAll(async () => {
  const mail = await generateAll({
    seed: 3,
    count: 12,
    senderDomain: 'demo.example',
    domains: ['alder.example', 'pine.example'],
  });
  signed = await Promise.all(
    mail.map(async ({ message }) => {
      const { signatures } = await dkimSign(message, {
        signatureData: [
          { signingDomain: 'demo.example', selector: 'pf1', privateKey: rsa.privateKey.export(pem) },
          { signingDomain: 'demo.example', selector: 'pf2', privateKey: ed.privateKey.export(pem) },
        ],
      } as never);
      return Buffer.concat([Buffer.from(signatures), message]);
    }),
  );
});

const tampered = (): Buffer => {
  const copy = Buffer.from(signed[0] ?? []);
  copy[copy.length - 20] = copy[copy.length - 20] === 97 ? 98 : 97;
  return copy;
};
const expected = Object.keys(keys);

test('mailauth: each signature of each message verifies, a changed body does not', async () => {
  const results = await Promise.all(signed.map((message) => verifyWithMailauth(message, keys)));
  expect(sumUp(results, expected)).toEqual({ messages: 12, verified: 12, failures: [] });
  const [first] = await verifyWithMailauth(tampered(), keys);
  expect(first).toMatchObject({ ok: false, error: expect.stringMatching(/body hash|fail|neutral/) });
});

test('dkimpy: the same', async () => {
  const results = await verifyWithDkimpy([...signed, tampered()], keys);
  expect(sumUp(results.slice(0, 12), expected)).toEqual({ messages: 12, verified: 12, failures: [] });
  expect(results[12]?.every(({ ok }) => !ok)).toBe(true);
  expect(sumUp(results, expected)).toMatchObject({ messages: 13, verified: 12 });
});

test('a key that is not published, a message without signature: not verified, and why', async () => {
  const message = signed[0] ?? Buffer.alloc(0);
  for (const results of [[await verifyWithMailauth(message, {})], await verifyWithDkimpy([message], {})]) {
    const { verified, failures } = sumUp(results, expected);
    expect(verified).toBe(0);
    expect(failures.join()).toMatch(/pf1 of demo.example: /);
  }
  const unsigned = await verifyWithDkimpy([Buffer.from('Subject: x\r\n\r\nx\r\n')], keys);
  expect(sumUp(unsigned, expected).failures[0]).toMatch(/no good signature by pf1/);
});
