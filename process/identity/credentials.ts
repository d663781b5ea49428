// A pod's certificate, key and authority: what they say, and how long they are good for. Pure.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { Identity } from './name.ts';
import { identityIn } from './peer.ts';

/** All PEM. */
export interface Credentials {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

export interface Validity {
  readonly identity: Identity | null;
  readonly notBefore: Date;
  readonly notAfter: Date;
}

export function validityOf({ cert }: Pick<Credentials, 'cert'>): Validity {
  const certificate = new X509Certificate(cert);
  return {
    identity: identityIn(certificate.subjectAltName),
    notBefore: certificate.validFromDate,
    notAfter: certificate.validToDate,
  };
}

/** Why these credentials cannot serve the pod `uid` now; null: they can. */
export function unusable(credentials: Credentials, uid: string, now: Date): string | null {
  const { identity, notBefore, notAfter } = validityOf(credentials);
  if (identity?.uid !== uid) return `the certificate is of pod ${identity?.uid ?? 'unknown'}, not of ${uid}`;
  if (now < notBefore || now >= notAfter) return 'the certificate is not valid now';
  const certificate = new X509Certificate(credentials.cert);
  if (!certificate.checkPrivateKey(createPrivateKey(credentials.key)))
    return 'certificate and key do not match';
  if (!authorities(credentials.ca).some((authority) => certificate.verify(authority.publicKey)))
    return 'another authority signed it';
  return null;
}

/** All certificates of a bundle: while an authority is replaced there are two. */
const authorities = (pem: string): X509Certificate[] =>
  (pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []).map(
    (one) => new X509Certificate(one),
  );

/**
 * When to renew: at two thirds of the life, up to a tenth of the life earlier by chance, so that the pods of a fleet that
 * started together do not all ask together.
 * @param random uniform in [0, 1)
 */
export function renewalTime({ notBefore, notAfter }: Validity, random: number): Date {
  const life = notAfter.getTime() - notBefore.getTime();
  return new Date(notBefore.getTime() + life * (2 / 3 - random / 10));
}
