// Where the authority and the key for sealing DKIM keys are kept.
import { randomBytes } from 'node:crypto';
import { Authority, createAuthority } from './authority.ts';
import { createOrRead, requiredValue, type SecretApi, secret } from './secrets.ts';
import { KUBE_TLS } from './server-certificates.ts';

export const AUTHORITY_SECRET = 'postfleet-ca';
export const SEALING_SECRET = 'postfleet-dkim-sealing';

/**
 * The fleet's authority from Secret `postfleet-ca`, made when it is absent, never overwritten.
 * @throws Terminal when the secret is not an authority
 */
export async function loadAuthority(api: SecretApi, namespace: string, now = new Date()): Promise<Authority> {
  const stored = await createOrRead(api, namespace, AUTHORITY_SECRET, async () => {
    const { cert, key } = (await createAuthority(now)).pair;
    return secret(namespace, AUTHORITY_SECRET, { 'tls.crt': cert, 'tls.key': key }, KUBE_TLS);
  });
  return Authority.from({ cert: requiredValue(stored, 'tls.crt'), key: requiredValue(stored, 'tls.key') });
}

/** The 32 bytes under which DKIM keys travel to ingress (Secret `postfleet-dkim-sealing`, `key` in base64 text). */
export async function loadSealingKey(api: SecretApi, namespace: string): Promise<Uint8Array> {
  const stored = await createOrRead(api, namespace, SEALING_SECRET, () =>
    secret(namespace, SEALING_SECRET, { key: randomBytes(32).toString('base64') }),
  );
  return Buffer.from(requiredValue(stored, 'key'), 'base64');
}
