// The certificate authority of a fleet, in memory. Where its key is kept is another file's concern (store.ts).
import type { Credentials } from '../../process/identity/credentials.ts';
import type { Identity } from '../../process/identity/name.ts';
import {
  KEY_ALGORITHM,
  newKeyPair,
  privateKeyPem,
  SIGNATURE_ALGORITHM,
} from '../../process/identity/request.ts';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from '../../process/identity/x509.ts';
import {
  BACKDATED_SECONDS,
  certify,
  type IssueOptions,
  issue,
  later,
  newSerial,
  type Signer,
} from './issue.ts';

const DAY = 86_400;
/** A pod's certificate lives a day from when it is made, and is renewed after 11 to 14 hours. */
export const IDENTITY_SECONDS = DAY;
const AUTHORITY_SECONDS = 3650 * DAY;

/** The authority as it is stored: certificate and PKCS #8 key, PEM. */
export interface AuthorityPair {
  readonly cert: string;
  readonly key: string;
}

export class Authority {
  readonly #signer: Signer;
  readonly #pair: AuthorityPair;

  private constructor(pair: AuthorityPair, signer: Signer) {
    this.#pair = pair;
    this.#signer = signer;
  }

  /** The authority's certificate, PEM. */
  get ca(): string {
    return this.#pair.cert;
  }

  /** What to keep in order to be this authority again. */
  get pair(): AuthorityPair {
    return this.#pair;
  }

  /** Takes up an authority that was stored. @throws when the key is no PKCS #8 ECDSA P-256 key */
  static async from(pair: AuthorityPair): Promise<Authority> {
    const [der] = PemConverter.decode(pair.key);
    if (!der) throw new TypeError('the stored authority has no private key in PEM');
    const key = await crypto.subtle.importKey('pkcs8', der, KEY_ALGORITHM, false, ['sign']);
    return new Authority(pair, { ca: pair.cert, key });
  }

  /** Answers a pod's certificate request. @throws BadRequest */
  issue(csrPem: string, identity: Identity, lifetimeSeconds: number, now: Date): Promise<string> {
    return issue(this.#signer, csrPem, { identity, lifetimeSeconds, now });
  }

  /** A fresh key with its certificate: for the bundled servers, the operator itself, tests and bench. */
  async issueFor(
    identity: Identity,
    options: Partial<Omit<IssueOptions, 'identity'>> = {},
  ): Promise<Credentials> {
    const { lifetimeSeconds = IDENTITY_SECONDS, now = new Date() } = options;
    const keys = await newKeyPair();
    const cert = await certify(this.#signer, keys.publicKey, { ...options, identity, lifetimeSeconds, now });
    return { cert, key: await privateKeyPem(keys.privateKey), ca: this.ca };
  }

  /**
   * The operator's own identity and those of tests: as a pod would get it over HTTP, plus `localhost` and 127.0.0.1
   * for programs that share a machine.
   */
  issueLocal(identity: Identity, now = new Date()): Promise<Credentials> {
    return this.issueFor(identity, { hosts: ['localhost', '127.0.0.1'], now });
  }
}

/** Makes a new authority (ECDSA P-256, ten years); nothing is stored. */
export async function createAuthority(now = new Date()): Promise<Authority> {
  const keys = await newKeyPair();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerial(),
    name: 'CN=postfleet authority',
    notBefore: later(now, -BACKDATED_SECONDS),
    notAfter: later(now, AUTHORITY_SECONDS),
    keys,
    signingAlgorithm: SIGNATURE_ALGORITHM,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
      await AuthorityKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  const pair = { cert: `${certificate.toString('pem')}\n`, key: await privateKeyPem(keys.privateKey) };
  return Authority.from(pair);
}

export type { Credentials };
