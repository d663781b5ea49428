// The admin server: what this pod says of itself, to the operator alone, over mutual TLS.
import { createServer, type Server } from 'node:https';
import type { TLSSocket, TlsOptions } from 'node:tls';
import { peerIdentity } from '../../process/identity/peer.ts';
import type { Statement } from '../bus/snapshot.ts';

/** Serves `GET /v1/statement` on `port`; resolves when it listens. `statement` is called once per answer: one instant. */
export function serveAdmin(port: number, tls: TlsOptions, statement: () => Statement): Promise<Server> {
  const server = createServer(tls, (request, response) => {
    const problem = (status: number, title: string) =>
      response
        .writeHead(status, { 'content-type': 'application/problem+json' })
        .end(JSON.stringify({ type: 'about:blank', status, title }));
    if (peerIdentity(request.socket as TLSSocket)?.role !== 'operator') return problem(403, 'Forbidden');
    if (request.url !== '/v1/statement') return problem(404, 'Not Found');
    if (request.method !== 'GET') return problem(405, 'Method Not Allowed');
    response.setHeader('content-type', 'application/json').end(JSON.stringify(statement()));
  });
  return new Promise((resolve, reject) => server.once('error', reject).listen(port, () => resolve(server)));
}
