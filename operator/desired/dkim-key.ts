// DKIM key pairs: made, checked, and turned into the record to publish.
import { createPrivateKey, createPublicKey, generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';

export type DkimAlgorithm = 'RSA' | 'Ed25519';

const make = promisify(generateKeyPair);
/** RFC 8301 §3.2: signers use at least 1024 bits and should use 2048. */
const RSA_BITS = 2048;
const MINIMAL_RSA_BITS = 1024;

/** A new private key, PKCS#8 PEM. */
export async function newDkimKey(algorithm: DkimAlgorithm): Promise<string> {
  const { privateKey } =
    algorithm === 'RSA' ? await make('rsa', { modulusLength: RSA_BITS }) : await make('ed25519', {});
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** Why a given key cannot sign with this algorithm, or null. */
export function dkimKeyFault(pem: string, algorithm: DkimAlgorithm): string | null {
  try {
    const key = createPrivateKey(pem);
    const type = algorithm === 'RSA' ? 'rsa' : 'ed25519';
    if (key.asymmetricKeyType !== type) return `it is a ${key.asymmetricKeyType} key, not ${type}`;
    const bits = key.asymmetricKeyDetails?.modulusLength ?? MINIMAL_RSA_BITS;
    return bits < MINIMAL_RSA_BITS ? `it has ${bits} bits; ${MINIMAL_RSA_BITS} are needed` : null;
  } catch {
    return 'it is no private key in PKCS#8 or PKCS#1 PEM';
  }
}

/** The TXT record of a key: RSA as SubjectPublicKeyInfo (RFC 6376 §3.6.1), Ed25519 as its 32 bytes (RFC 8463 §4.2). */
export function dkimRecord(pem: string, algorithm: DkimAlgorithm): string {
  const spki = createPublicKey(pem).export({ type: 'spki', format: 'der' });
  const bytes = algorithm === 'RSA' ? spki : spki.subarray(-32);
  return `v=DKIM1; k=${algorithm === 'RSA' ? 'rsa' : 'ed25519'}; p=${bytes.toString('base64')}`;
}
