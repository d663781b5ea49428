// Certificates of mail exchangers, good and bad, made at start.
import { createSecureContext, type SecureContext } from 'node:tls';
import {
  BasicConstraintsExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '../../process/identity/x509.ts';
import type { TlsKind } from './behaviour.ts';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const DAY_MS = 86_400_000;

export interface WebPki {
  /** The root that a client would have to trust, PEM. */
  readonly ca: string;
  /** The context of a host with a certificate of a kind; null for `none`. */
  contextOf(hostname: string): Promise<(kind: TlsKind) => SecureContext | null>;
}

export async function webPki(): Promise<WebPki> {
  const keys = await newKeys();
  const name = 'CN=Miniature Internet Root';
  const ca = await X509CertificateGenerator.createSelfSigned({
    ...{ name, keys, signingAlgorithm: ALGORITHM, ...validity(-1, 365) },
    extensions: [new BasicConstraintsExtension(true, undefined, true)],
  });
  const contextOf = async (hostname: string) => {
    const own = await newKeys();
    const key = PemConverter.encode(await crypto.subtle.exportKey('pkcs8', own.privateKey), 'PRIVATE KEY');
    const leaf = async (host: string, from: number, to: number, signer = keys.privateKey, issuer = name) => {
      const certificate = await X509CertificateGenerator.create({
        ...{ subject: `CN=${host}`, issuer, publicKey: own.publicKey, signingKey: signer },
        ...{ signingAlgorithm: ALGORITHM, ...validity(from, to) },
        extensions: [new SubjectAlternativeNameExtension([{ type: 'dns', value: host }])],
      });
      return createSecureContext({ key, cert: certificate.toString('pem') });
    };
    const contexts: Record<TlsKind, SecureContext | null> = {
      good: await leaf(hostname, -1, 90),
      'self-signed': await leaf(hostname, -1, 90, own.privateKey, `CN=${hostname}`),
      expired: await leaf(hostname, -90, -1),
      'wrong-name': await leaf('somewhere-else.example', -1, 90),
      none: null,
    };
    return (kind: TlsKind) => contexts[kind];
  };
  return { ca: ca.toString('pem'), contextOf };
}

const newKeys = () => crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
const validity = (fromDays: number, toDays: number) => ({
  notBefore: new Date(Date.now() + fromDays * DAY_MS),
  notAfter: new Date(Date.now() + toDays * DAY_MS),
});
