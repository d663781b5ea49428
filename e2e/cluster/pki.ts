// The cluster's certificates: one authority, short-lived, ECDSA. Made in memory within milliseconds.
import { createPrivateKey, createPublicKey, randomBytes, webcrypto } from 'node:crypto';
import 'reflect-metadata';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  type Extension,
  type GeneralNameType,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const DAY_MS = 86_400_000;
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';

/** PEM texts. */
export interface Pair {
  readonly certificate: string;
  readonly key: string;
}

export interface Subject {
  readonly name: string;
  /** Kubernetes reads groups from it. */
  readonly organization?: string;
  readonly dns?: readonly string[];
  readonly ips?: readonly string[];
}

export interface Authority {
  readonly certificate: string;
  /** For the controller manager, which signs certificate requests. */
  readonly key: string;
  issue(subject: Subject): Promise<Pair>;
}

type Keys = Awaited<ReturnType<typeof newKeys>>;
const newKeys = () => webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);

async function privatePem(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key));
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
    .export({ format: 'pem', type: 'pkcs8' })
    .toString();
}

const validity = () => ({
  serialNumber: randomBytes(8).toString('hex'),
  notBefore: new Date(Date.now() - DAY_MS), // clocks of guests may be behind
  notAfter: new Date(Date.now() + 365 * DAY_MS),
});

/** A new authority. */
export async function newAuthority(): Promise<Authority> {
  const keys = await newKeys();
  const certificate = await X509CertificateGenerator.createSelfSigned(
    {
      ...validity(),
      name: 'CN=postfleet-local',
      keys,
      signingAlgorithm: ALGORITHM,
      extensions: [
        new BasicConstraintsExtension(true, undefined, true),
        new KeyUsagesExtension(
          KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign | KeyUsageFlags.digitalSignature,
          true,
        ),
      ],
    },
    webcrypto,
  );
  return {
    certificate: certificate.toString('pem'),
    key: await privatePem(keys.privateKey),
    issue: (subject) => issue(certificate, keys, subject),
  };
}

async function issue(authority: X509Certificate, authorityKeys: Keys, subject: Subject): Promise<Pair> {
  const keys = await newKeys();
  const certificate = await X509CertificateGenerator.create(
    {
      ...validity(),
      subject: [{ CN: [subject.name] }, ...(subject.organization ? [{ O: [subject.organization] }] : [])],
      issuer: authority.subject,
      publicKey: keys.publicKey,
      signingKey: authorityKeys.privateKey,
      signingAlgorithm: ALGORITHM,
      extensions: extensions(subject),
    },
    webcrypto,
  );
  return { certificate: certificate.toString('pem'), key: await privatePem(keys.privateKey) };
}

function extensions(subject: Subject): Extension[] {
  const named = (type: GeneralNameType, values: readonly string[] = []) =>
    values.map((value) => ({ type, value }));
  const names = [...named('dns', subject.dns), ...named('ip', subject.ips)];
  return [
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension([CLIENT_AUTH, SERVER_AUTH]),
    ...(names.length > 0 ? [new SubjectAlternativeNameExtension(names)] : []),
  ];
}

/** A key pair that signs service accounts' tokens, PEM. */
export async function newTokenKey(): Promise<{ readonly key: string; readonly publicKey: string }> {
  const { privateKey } = await newKeys();
  const key = await privatePem(privateKey);
  return { key, publicKey: createPublicKey(key).export({ format: 'pem', type: 'spki' }).toString() };
}
