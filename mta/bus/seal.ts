// DKIM private keys travel through NATS sealed: AES-256-GCM under the key of Secret `postfleet-dkim-sealing`, which only
// the operator (seals) and ingress (opens) have. Form: `v1.` and base64 of nonce (12) | tag (16) | ciphertext.
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

const VERSION = 'v1.';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** Binds a sealed text to its purpose (additional authenticated data). */
const PURPOSE = Buffer.from('postfleet-dkim');

/** A sealed key could not be opened: cut off, changed, or sealed under another key. */
export class SealError extends Error {
  override readonly name = 'SealError';
}

/** Reads the 32-byte sealing key from its base64 text. Throws SealError on another length. */
export function parseSealingKey(base64: string): Buffer {
  const key = Buffer.from(base64.trim(), 'base64');
  if (key.length !== 32) throw new SealError(`the sealing key has ${key.length} bytes, not 32`);
  return key;
}

/** Seals a PEM private key under the 32-byte `key32`; every call gives another text. */
export function sealKey(pem: string, key32: Uint8Array): string {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key32, nonce, { authTagLength: TAG_BYTES }).setAAD(PURPOSE);
  const text = Buffer.concat([cipher.update(pem, 'utf8'), cipher.final()]);
  return VERSION + Buffer.concat([nonce, cipher.getAuthTag(), text]).toString('base64');
}

/** Opens what `sealKey` sealed and gives the PEM. Throws SealError when it was changed or sealed under another key. */
export function openKey(sealed: string, key32: Uint8Array): string {
  const bytes = Buffer.from(sealed.startsWith(VERSION) ? sealed.slice(VERSION.length) : '', 'base64');
  if (bytes.length < NONCE_BYTES + TAG_BYTES) throw new SealError('no sealed key of version 1');
  const tagEnd = NONCE_BYTES + TAG_BYTES;
  try {
    const decipher = createDecipheriv('aes-256-gcm', key32, bytes.subarray(0, NONCE_BYTES), {
      authTagLength: TAG_BYTES,
    });
    decipher.setAAD(PURPOSE).setAuthTag(bytes.subarray(NONCE_BYTES, tagEnd));
    return Buffer.concat([decipher.update(bytes.subarray(tagEnd)), decipher.final()]).toString('utf8');
  } catch (cause) {
    throw new SealError('the sealed key cannot be opened with this sealing key', { cause });
  }
}
