// DKIM signatures (RFC 6376, RFC 8463), relaxed/simple, on cached keys: half of a message's cost is here. The body is hashed
// once for all keys; the signing itself runs on the thread pool.
import { createHash, createPrivateKey, type KeyObject, sign } from 'node:crypto';
import type { Field } from './fields.ts';

export interface DkimKey {
  readonly domain: string;
  readonly selector: string;
  /** The same key several times: OpenSSL locks a key while it signs, and the thread pool has four threads. */
  readonly copies: readonly KeyObject[];
}
const COPIES = 4;

/** Reads a PKCS#8 or PKCS#1 PEM. @throws Error when it is neither RSA of 1024 bits or more nor Ed25519. */
export function readDkimKey(domain: string, selector: string, pem: string): DkimKey {
  const copies = Array.from({ length: COPIES }, () => createPrivateKey(pem));
  const key = copies[0] as KeyObject;
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  if (key.asymmetricKeyType !== 'ed25519' && !(key.asymmetricKeyType === 'rsa' && bits >= 1024))
    throw new Error(
      `DKIM key ${selector}._domainkey.${domain} is neither RSA (1024 bits or more) nor Ed25519`,
    );
  return { domain, selector, copies };
}

/** Signed when present, and once more than present: nobody may add another (RFC 6376 §8.15). */
const OVERSIGNED = [
  'from',
  'to',
  'cc',
  'subject',
  'date',
  'reply-to',
  'message-id',
  'mime-version',
  'content-type',
];
/** Signed as often as present. */
const SIGNED = new Set([
  'sender',
  'in-reply-to',
  'references',
  'content-transfer-encoding',
  'content-disposition',
  'content-id',
  'list-id',
  'list-unsubscribe',
  'list-unsubscribe-post',
  'auto-submitted',
  'feedback-id',
]);

let turn = 0;

/** One DKIM-Signature field a key, to stand in front of `fields`. `now` in seconds since the epoch. */
export async function dkimSignatures(
  fields: readonly Field[],
  body: Buffer,
  keys: readonly DkimKey[],
  now: number,
): Promise<readonly Field[]> {
  const bodyHash = simpleBodyHash(body);
  const { names, canonical } = signedHeader(fields);
  return Promise.all(
    keys.map(async ({ domain, selector, copies }) => {
      const key = copies[turn++ % COPIES] as KeyObject;
      const algorithm = key.asymmetricKeyType === 'ed25519' ? 'ed25519-sha256' : 'rsa-sha256';
      const unsigned = `DKIM-Signature: ${[
        `v=1; a=${algorithm}; c=relaxed/simple; d=${domain}; s=${selector};`,
        `t=${now}; bh=${bodyHash};`,
        foldNames(names),
        'b=',
      ].join('\r\n ')}`;
      const text = Buffer.from(canonical + relaxed(unsigned), 'latin1');
      const signature = (await signature64(text, key)).replace(/.{72}(?=.)/g, '$&\r\n ');
      return { key: 'dkim-signature', raw: unsigned + signature };
    }),
  );
}

/** RFC 6376 §3.4.3: empty lines at the end count for one line end; no body counts for one too. */
function simpleBodyHash(body: Buffer): string {
  let end = body.length;
  while (end >= 2 && body[end - 2] === 0x0d && body[end - 1] === 0x0a) end -= 2;
  return createHash('sha256').update(body.subarray(0, end)).update('\r\n').digest('base64');
}

/** The names for h= and the fields in that order, canonical; of repeated fields the last comes first (RFC 6376 §5.4.2). */
function signedHeader(fields: readonly Field[]): { names: readonly string[]; canonical: string } {
  const names: string[] = [];
  let canonical = '';
  for (const one of fields.toReversed()) {
    if (!SIGNED.has(one.key) && !OVERSIGNED.includes(one.key)) continue;
    names.push(one.key);
    canonical += `${relaxed(one.raw)}\r\n`;
  }
  return { names: [...names, ...OVERSIGNED], canonical };
}

/** RFC 6376 §3.4.2. Not `trim`: of a UTF-8 character the octet 0xA0 is no space. */
function relaxed(raw: string): string {
  const colon = raw.indexOf(':');
  const value = raw
    .slice(colon + 1)
    .replace(/\r\n/g, '')
    .replace(/[ \t]+/g, ' ')
    .replace(/^ | $/g, '');
  return `${raw.slice(0, colon).trimEnd().toLowerCase()}:${value}`;
}

function foldNames(names: readonly string[]): string {
  const lines = [''];
  for (const name of names) {
    const line = lines.at(-1) ?? '';
    if (line.length + name.length > 70) lines.push(name);
    else lines[lines.length - 1] = line === '' ? name : `${line}:${name}`;
  }
  return `h=${lines.join('\r\n :')};`;
}

/** RFC 8463 §3: Ed25519 signs the SHA-256 of the header, RSA hashes it itself. */
function signature64(text: Buffer, key: KeyObject): Promise<string> {
  const ed25519 = key.asymmetricKeyType === 'ed25519';
  const data = ed25519 ? createHash('sha256').update(text).digest() : text;
  return new Promise((resolve, reject) =>
    sign(ed25519 ? null : 'sha256', data, key, (error, signature) =>
      error ? reject(error) : resolve(signature.toString('base64')),
    ),
  );
}
