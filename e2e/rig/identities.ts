// An authority for tests, and the certificates it makes for pods: the form of process/identity/name.ts, in memory or as a folder.
import { webcrypto } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Identity, identityUri, roleDnsName } from '../../process/identity/name.ts';
import * as x509 from '../../process/identity/x509.ts';

export interface PodCertificate {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}
export interface TestAuthority {
  readonly ca: string;
  issue(identity: Identity): Promise<PodCertificate>;
  /** Issues and writes tls.crt, tls.key and ca.crt into `folder`; returns the folder. */
  write(identity: Identity, folder: string): Promise<string>;
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const DAY_MS = 86_400_000;

export async function testAuthority(): Promise<TestAuthority> {
  const keys = await newKeys();
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=postfleet test authority',
    keys,
    signingAlgorithm: ALGORITHM,
    notBefore: new Date(Date.now() - DAY_MS),
    notAfter: new Date(Date.now() + DAY_MS),
    extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
  });
  const ca = root.toString('pem');
  const issue = async (identity: Identity): Promise<PodCertificate> => {
    const pod = await newKeys();
    const certificate = await x509.X509CertificateGenerator.create({
      subject: `CN=${identity.role}`,
      issuer: root.subject,
      publicKey: pod.publicKey,
      signingKey: keys.privateKey,
      signingAlgorithm: ALGORITHM,
      notBefore: new Date(Date.now() - DAY_MS),
      notAfter: new Date(Date.now() + DAY_MS),
      extensions: [
        new x509.SubjectAlternativeNameExtension([
          { type: 'dns', value: roleDnsName(identity.role) },
          { type: 'url', value: identityUri(identity) },
        ]),
      ],
    });
    return { cert: certificate.toString('pem'), key: await pem(pod.privateKey), ca };
  };
  return {
    ca,
    issue,
    async write(identity, folder) {
      const { cert, key } = await issue(identity);
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, 'tls.crt'), cert);
      writeFileSync(join(folder, 'tls.key'), key, { mode: 0o600 });
      writeFileSync(join(folder, 'ca.crt'), ca);
      return folder;
    },
  };
}

const newKeys = () =>
  webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']) as Promise<webcrypto.CryptoKeyPair>;
const pem = async (key: CryptoKey): Promise<string> =>
  x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY');
