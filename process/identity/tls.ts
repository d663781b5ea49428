// TLS options for inner hops: both ends show a certificate of the fleet, TLS 1.3 only, and the other end is judged by the role
// in its certificate. Pods are reached by address or Service name, neither of which says who answers.
import type { ConnectionOptions, PeerCertificate, TlsOptions } from 'node:tls';
import type { Credentials } from './credentials.ts';
import { type Role, roleDnsName } from './name.ts';
import { identityIn } from './peer.ts';

export interface Expected {
  readonly role: Role;
  /** Only this incarnation of a pod. */
  readonly uid?: string;
  /** Only pods of this pool. */
  readonly pool?: string;
}

/** For `checkServerIdentity`: an error unless the verified certificate is of the expected role (and pod). */
export function expectRole(role: Role, more: Omit<Expected, 'role'> = {}) {
  return (_host: string, certificate: Pick<PeerCertificate, 'subjectaltname'>): Error | undefined => {
    const identity = identityIn(certificate.subjectaltname);
    if (!identity) return new Error(`expected ${role}, but the certificate names no identity of the fleet`);
    const wanted: [string, string | null, string | undefined][] = [
      ['role', identity.role, role],
      ['pool', identity.pool, more.pool],
      ['pod', identity.uid, more.uid],
    ];
    const wrong = wanted.find(([, found, expected]) => expected !== undefined && found !== expected);
    return wrong && new Error(`expected ${wrong[0]} ${wrong[2]}, but ${wrong[1]} answered`);
  };
}

/** Options for servers of inner hops. Renewed credentials go to the server's `setSecureContext`. */
export function serverTls(credentials: Credentials) {
  return {
    ...credentials,
    requestCert: true,
    rejectUnauthorized: true,
    minVersion: 'TLSv1.3',
  } as const satisfies TlsOptions;
}

/** Options for a connection to a pod of a role; without cert and key the client stays anonymous. */
export function clientTls(
  credentials: Partial<Credentials> & Pick<Credentials, 'ca'>,
  { role, ...more }: Expected,
) {
  return {
    ...credentials,
    servername: roleDnsName(role),
    checkServerIdentity: expectRole(role, more),
    rejectUnauthorized: true,
    minVersion: 'TLSv1.3',
  } as const satisfies ConnectionOptions;
}
