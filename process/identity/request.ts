// A fresh key and the certificate request for it. The request carries no names: the authority decides them.
import type { webcrypto } from 'node:crypto';
import { PemConverter, Pkcs10CertificateRequestGenerator } from './x509.ts';

export const KEY_ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256' } as const;
export const SIGNATURE_ALGORITHM = { name: 'ECDSA', hash: 'SHA-256' } as const;

export const newKeyPair = (): Promise<webcrypto.CryptoKeyPair> =>
  crypto.subtle.generateKey(KEY_ALGORITHM, true, ['sign', 'verify']);

/** A private key as PKCS #8 PEM. */
export async function privateKeyPem(key: CryptoKey): Promise<string> {
  return `${PemConverter.encode(await crypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')}\n`;
}

/** A new ECDSA P-256 key (PKCS #8 PEM) and a PKCS #10 request signed with it (PEM, RFC 2986). */
export async function newRequest(): Promise<{ readonly key: string; readonly csr: string }> {
  const keys = await newKeyPair();
  const csr = await Pkcs10CertificateRequestGenerator.create({
    name: 'CN=postfleet',
    keys,
    signingAlgorithm: SIGNATURE_ALGORITHM,
  });
  return { key: await privateKeyPem(keys.privateKey), csr: `${csr.toString('pem')}\n` };
}
