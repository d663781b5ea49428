// Who is at the other end of a TLS socket, from its verified certificate.
import type { TLSSocket } from 'node:tls';
import { type Identity, parseIdentityUri } from './name.ts';

/** The identity in the peer's certificate; null when the certificate is not verified or names none. */
export function peerIdentity(socket: TLSSocket): Identity | null {
  if (!socket.authorized) return null;
  const names = socket.getPeerCertificate().subjectaltname ?? '';
  const uri = /URI:(spiffe:\/\/postfleet\/[^,\s]+)/.exec(names)?.[1];
  return uri ? parseIdentityUri(uri) : null;
}
