// `POST /v1/identity`: a pod's token and certificate request in, a certificate out. HTTPS with the operator's own certificate.
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { Counter } from 'prom-client';
import type { Identity } from '../../process/identity/name.ts';
import { type Log, log as rootLog } from '../../process/log.ts';
import { ApiError, ConnectionError } from '../runtime/errors.ts';
import type { KubeApi } from '../runtime/transport.ts';
import { type Authority, type Credentials, IDENTITY_SECONDS } from './authority.ts';
import { identifyCaller, Refusal, type RoleNamespaces } from './caller.ts';
import { BadRequest } from './issue.ts';

export interface IdentityService {
  readonly api: Pick<KubeApi, 'get' | 'review'>;
  readonly authority: Authority;
  readonly allowed: RoleNamespaces;
  readonly port: number;
  readonly host?: string;
  /** What the endpoint itself is served with; renewed ones go to `renew` of the answer. */
  readonly credentials: Credentials;
  readonly now?: () => Date;
  readonly log?: Log;
}

export interface ServedIdentity {
  readonly port: number;
  renew(credentials: Credentials): void;
  close(): Promise<void>;
}

const issued = new Counter({
  name: 'postfleet_identity_issued_total',
  help: 'Certificates issued to pods, by role.',
  labelNames: ['role'],
});
const refused = new Counter({
  name: 'postfleet_identity_refused_total',
  help: 'Requests for a certificate that were refused, by reason.',
  labelNames: ['reason'],
});

const LONGEST_REQUEST = 16 * 1024;
const TLS = { minVersion: 'TLSv1.3' } as const;

/** Serves the endpoint; resolves when it listens. */
export async function serveIdentity(service: IdentityService): Promise<ServedIdentity> {
  const { cert, key } = service.credentials;
  const log = (service.log ?? rootLog).child({ part: 'identity' });
  const options = { ...TLS, cert, key, requestTimeout: 15_000, headersTimeout: 10_000 };
  const server = createServer(options, (request, response) => void answer(service, log, request, response));
  server.listen(service.port, service.host);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    renew: ({ cert, key }) => server.setSecureContext({ ...TLS, cert, key }),
    close: () => close(server),
  };
}

function close(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}

async function answer(
  service: IdentityService,
  log: Log,
  request: IncomingMessage,
  response: ServerResponse,
) {
  try {
    const route = wrongRoute(request);
    if (route) return problem(response, route, 'NoSuchRoute', 'only POST /v1/identity is served here');
    const { identity, certificate } = await certificateFor(service, request);
    issued.inc({ role: identity.role });
    log.info({ identity }, 'certificate issued');
    response.setHeader('content-type', 'application/x-pem-file').end(certificate);
  } catch (error) {
    const { status, reason, detail } = describe(error);
    refused.inc({ reason });
    log.warn({ err: error, reason }, 'no certificate issued');
    problem(response, status, reason, detail);
  }
}

const wrongRoute = ({ url, method }: IncomingMessage): 404 | 405 | null => {
  if (url !== '/v1/identity') return 404;
  return method === 'POST' ? null : 405;
};

async function certificateFor(
  { api, authority, allowed, now = () => new Date() }: IdentityService,
  request: IncomingMessage,
): Promise<{ readonly identity: Identity; readonly certificate: string }> {
  const token = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
  if (!token) throw new Refusal(401, 'NoToken', 'send the pod’s projected token as Authorization: Bearer');
  const csr = await readBody(request);
  const identity = await identifyCaller(api, token, allowed);
  const certificate = await authority.issue(csr, identity, IDENTITY_SECONDS, now());
  return { identity, certificate: certificate + authority.ca };
}

async function readBody(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request.setEncoding('utf8')) {
    body += chunk;
    if (body.length > LONGEST_REQUEST) throw new Refusal(400, 'TooLong', 'a certificate request is shorter');
  }
  return body;
}

function describe(error: unknown): {
  readonly status: number;
  readonly reason: string;
  readonly detail: string;
} {
  if (error instanceof Refusal) return { status: error.status, reason: error.reason, detail: error.message };
  if (error instanceof BadRequest) return { status: 400, reason: 'BadRequest', detail: error.message };
  if (error instanceof ApiError || error instanceof ConnectionError)
    return { status: 503, reason: 'ApiServer', detail: 'the API server could not be asked; try again' };
  return { status: 500, reason: 'Internal', detail: 'internal error' };
}

/** A problem of RFC 9457. */
function problem(response: ServerResponse, status: number, reason: string, detail: string): void {
  if (response.headersSent || response.destroyed) return;
  const headers = {
    'content-type': 'application/problem+json',
    connection: 'close',
    ...(status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
    ...(status === 503 ? { 'retry-after': '5' } : {}),
  };
  const type = `https://postfleet.io/problems/identity/${reason}`;
  response.writeHead(status, headers).end(JSON.stringify({ type, title: reason, status, detail }));
}
