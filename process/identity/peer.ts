// Who is at the other end of a TLS socket, from its verified certificate.
import type { PeerCertificate, TLSSocket } from 'node:tls';
import { type Identity, parseIdentityUri } from './name.ts';

/** The identity in the peer's certificate; null when the certificate is not verified or names none. */
export function peerIdentity(socket: TLSSocket): Identity | null {
  return socket.authorized ? identityIn(socket.getPeerCertificate().subjectaltname) : null;
}

/** The identity in the alternative names of a certificate, as Node prints them; null when they hold none. */
export function identityIn(names: PeerCertificate['subjectaltname']): Identity | null {
  const uri = /(?:^|, )URI:(spiffe:\/\/postfleet\/[^,\s]+)/.exec(names ?? '')?.[1];
  return uri ? parseIdentityUri(uri) : null;
}
