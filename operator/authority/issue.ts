// Signing: what a certificate of the fleet contains. Time is passed in; nothing is read or written.
import { randomBytes } from 'node:crypto';
import { isIP } from 'node:net';
import { type Identity, identityUri, roleDnsName } from '../../process/identity/name.ts';
import { SIGNATURE_ALGORITHM } from '../../process/identity/request.ts';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type JsonGeneralName,
  KeyUsageFlags,
  KeyUsagesExtension,
  Pkcs10CertificateRequest,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '../../process/identity/x509.ts';

/** The signing half of an authority. */
export interface Signer {
  /** The authority's own certificate, PEM. */
  readonly ca: string;
  readonly key: CryptoKey;
}

/** A request that cannot be honoured: not PKCS #10, or not signed by the key it names. */
export class BadRequest extends Error {
  override readonly name = 'BadRequest';
}

/**
 * A certificate is valid from this long before it was made. Clocks of nodes differ, and they jump: one that is hours behind for a while would
 * otherwise refuse every peer whose certificate is younger than that, and nobody could connect to its pods.
 */
export const BACKDATED_SECONDS = 6 * 3600;

export interface IssueOptions {
  readonly identity: Identity;
  readonly lifetimeSeconds: number;
  readonly now: Date;
  /** Further DNS names and addresses, for servers that are not reached by role. */
  readonly hosts?: readonly string[];
  /** For servers that never open a connection to another role. */
  readonly serverOnly?: boolean;
}

/**
 * Certifies the key of a PKCS #10 request (PEM) for `identity`. Names in the request are ignored: the certificate says
 * who the caller was proven to be. Extended key usage client and server (RFC 5280 §4.2.1.12).
 * @returns the certificate, PEM
 * @throws BadRequest when the request is malformed or its signature is wrong
 */
export async function issue(signer: Signer, csrPem: string, options: IssueOptions): Promise<string> {
  const csr = parseRequest(csrPem);
  if (!(await csr.verify().catch(() => false)))
    throw new BadRequest('the request is not signed by the key in it');
  return certify(signer, await csr.publicKey.export(), options);
}

/** Certifies a public key for `identity`; see `issue`. */
export async function certify(signer: Signer, publicKey: CryptoKey, options: IssueOptions): Promise<string> {
  const authority = new X509Certificate(signer.ca);
  const { now, lifetimeSeconds } = options;
  const certificate = await X509CertificateGenerator.create({
    serialNumber: newSerial(),
    issuer: authority.subject,
    subject: `CN=${roleDnsName(options.identity.role)}`,
    notBefore: later(now, -BACKDATED_SECONDS),
    notAfter: earlier(later(now, lifetimeSeconds), authority.notAfter),
    publicKey,
    signingKey: signer.key,
    signingAlgorithm: SIGNATURE_ALGORITHM,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([
        ExtendedKeyUsage.serverAuth,
        ...(options.serverOnly ? [] : [ExtendedKeyUsage.clientAuth]),
      ]),
      new SubjectAlternativeNameExtension(alternativeNames(options)),
      await SubjectKeyIdentifierExtension.create(publicKey),
      await AuthorityKeyIdentifierExtension.create(authority.publicKey),
    ],
  });
  return `${certificate.toString('pem')}\n`;
}

/** The role's DNS name stands first: NATS takes the first name that is one of its users. */
function alternativeNames({ identity, hosts = [] }: IssueOptions): JsonGeneralName[] {
  return [
    { type: 'dns', value: roleDnsName(identity.role) },
    { type: 'url', value: identityUri(identity) },
    ...hosts.map((host): JsonGeneralName => ({ type: isIP(host) ? 'ip' : 'dns', value: host })),
  ];
}

function parseRequest(pem: string): Pkcs10CertificateRequest {
  try {
    return new Pkcs10CertificateRequest(pem);
  } catch (cause) {
    throw new BadRequest('not a PKCS #10 certificate request in PEM', { cause });
  }
}

/** 127 random bits, positive and never zero in front (RFC 5280 §4.1.2.2). */
export function newSerial(): string {
  const bytes = randomBytes(16);
  bytes.writeUInt8((bytes.readUInt8(0) & 0x7f) | 0x40, 0);
  return bytes.toString('hex');
}

export const later = (date: Date, seconds: number): Date => new Date(date.getTime() + seconds * 1000);
const earlier = (a: Date, b: Date): Date => (a < b ? a : b);
