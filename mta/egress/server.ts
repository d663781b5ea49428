// The HTTPS server: mutual TLS, CONNECT, POST /v1/fence, /v1/outcomes and /v1/loans. Translates between HTTP and egress.ts, and decides nothing.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { z } from 'zod';
import { failpoint } from '../../process/failpoint.ts';
import type { Identity } from '../../process/identity/name.ts';
import { peerIdentity } from '../../process/identity/peer.ts';
import type { Log } from '../../process/log.ts';
import {
  CONNECT_GROUP,
  CONNECT_HEADERS,
  type FenceResponse,
  formatWarmup,
  MOST_REPORTS,
  type WarmupDay,
} from '../bus/connect.ts';
import type { PoolCaps } from './caps/caps.ts';
import { loansRequest } from './caps/dialogue.ts';
import type { Egress, Established } from './egress.ts';
import { noticeDeath } from './half_open.ts';
import { Refused } from './refusal.ts';
import { parseConnect } from './request.ts';

export interface TlsFiles {
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
  readonly ca: string | Buffer;
}

const MAX_BODY_BYTES = 1024 * 1024;
const fenceRequest = z.object({
  pool: z.string(),
  shard: z.int().min(0),
  epoch: z.int().min(0),
  uid: z.string().min(1).max(128),
});

const count = () => z.int().min(0).max(1_000_000_000);
const outcomesRequest = z.object({
  reports: z
    .array(
      z.object({
        grant: z.string().max(64),
        accepted: count(),
        deferred: count(),
        bounced: count(),
        refusal: z.object({ reply: z.string().max(1000), class: z.string().max(64) }).optional(),
        ofAddress: z.object({ deferred: count(), reply: z.string().max(1000).optional() }).optional(),
        done: z.boolean().optional(),
      }),
    )
    .max(MOST_REPORTS),
});

/** A server that is not yet listening. A renewed certificate goes to its `setSecureContext`. */
export function egressServer(egress: Egress, caps: Pick<PoolCaps, 'lend'>, tls: TlsFiles, log: Log): Server {
  const routes = routesOf(egress, caps);
  const server = createServer(
    {
      ...tls,
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.3',
      ecdhCurve: CONNECT_GROUP,
      // Otherwise the caller's half-close would close the direction that still carries the MX's answer.
      allowHalfOpen: true,
      noDelay: true,
    },
    (request, response) => void answer(routes, request, response, log),
  );
  server.on('connection', noticeDeath);
  server.on('connect', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    void tunnel(egress, request, socket as TLSSocket, head, log);
  });
  return server;
}

async function tunnel(
  egress: Egress,
  request: IncomingMessage,
  socket: TLSSocket,
  head: Buffer,
  log: Log,
): Promise<void> {
  const gone = new AbortController();
  const left = () => gone.abort(new Error('the caller left'));
  socket.on('error', left).once('close', left);
  try {
    const wanted = parseConnect(request.url ?? '', request.headers);
    const established = await egress.connect(wanted, peerIdentity(socket), gone.signal);
    failpoint('egress.granted');
    if (head.length > 0) socket.unshift(head);
    if (!socket.destroyed) socket.write(granted(established));
    // Not waited for: request, head and grant would be kept for as long as the connection is open.
    established.join(socket).catch((error) => log.error({ err: error }, 'a connection failed'));
    socket.off('close', left).off('error', left);
  } catch (error) {
    if (!(error instanceof Refused)) log.error({ err: error }, 'CONNECT failed');
    socket.end(refusal(error instanceof Refused ? error : new Refused('ConnectFailed', 'internal error')));
  }
}

function granted({ grant, recipients, seconds, id, epoch, peer, warmup }: Established): string {
  return head(200, 'Connection Established', {
    [CONNECT_HEADERS.messages]: recipients,
    [CONNECT_HEADERS.seconds]: seconds,
    [CONNECT_HEADERS.grant]: id,
    [CONNECT_HEADERS.epoch]: epoch,
    [CONNECT_HEADERS.provider]: grant.provider,
    [CONNECT_HEADERS.ehlo]: grant.ehlo,
    [CONNECT_HEADERS.peer]: peer,
    ...warmupHeader(warmup),
  });
}

const warmupHeader = (day: WarmupDay | null): Record<string, string> =>
  day ? { [CONNECT_HEADERS.warmup]: formatWarmup(day) } : {};

function refusal({ status, reason, message, retryMs, warmup }: Refused): string {
  const body = `${message}\n`;
  const headers = {
    [CONNECT_HEADERS.reason]: reason,
    ...(retryMs !== null && {
      'retry-after': Math.ceil(retryMs / 1000),
      [CONNECT_HEADERS.retryMs]: Math.ceil(retryMs),
    }),
    ...warmupHeader(warmup),
    'content-type': 'text/plain; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    connection: 'close',
  };
  return head(status, reason, headers) + body;
}

/** Status line and headers; a line end inside a value would let a host name write headers of its own. */
function head(status: number, phrase: string, headers: Record<string, string | number>): string {
  const lines = Object.entries(headers).map(
    ([name, value]) => `${name}: ${String(value).replace(/[\r\n]+/g, ' ')}`,
  );
  return [`HTTP/1.1 ${status} ${phrase}`, ...lines, '', ''].join('\r\n');
}

type Route = (caller: Identity | null, body: string) => Promise<object>;
type Routes = Readonly<Record<string, Route>>;

const routesOf = (egress: Egress, caps: Pick<PoolCaps, 'lend'>): Routes => ({
  '/v1/fence': async (caller, text) => {
    const closed = await egress.fenceFor(caller, parse(fenceRequest, text));
    return { closed } satisfies FenceResponse;
  },
  '/v1/outcomes': async (caller, text) => {
    egress.reported(caller, parse(outcomesRequest, text).reports);
    return {};
  },
  '/v1/loans': (caller, text) => caps.lend(caller, parse(loansRequest, text)),
});

async function answer(
  routes: Routes,
  request: IncomingMessage,
  response: ServerResponse,
  log: Log,
): Promise<void> {
  try {
    const route = routes[request.url ?? ''];
    if (!route) return void response.writeHead(404).end();
    if (request.method !== 'POST') return void response.writeHead(405, { allow: 'POST' }).end();
    const text = await body(request);
    const answered = JSON.stringify(await route(peerIdentity(request.socket as TLSSocket), text));
    response.writeHead(200, { 'content-type': 'application/json' }).end(answered);
  } catch (error) {
    if (!(error instanceof Refused)) log.error({ err: error, url: request.url }, 'a request failed');
    const { status, reason, message } =
      error instanceof Refused ? error : { status: 500, reason: 'Bug', message: 'internal error' };
    response.writeHead(status, {
      'content-type': 'application/problem+json',
      [CONNECT_HEADERS.reason]: reason,
    });
    response.end(JSON.stringify({ type: 'about:blank', title: reason, status, detail: message }));
  }
}

async function body(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_BODY_BYTES) throw new Refused('BadRequest', `body over ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parse<T>(form: z.ZodType<T>, text: string): T {
  try {
    return form.parse(JSON.parse(text));
  } catch (error) {
    throw new Refused('BadRequest', `bad body: ${(error as Error).message}`, { cause: error });
  }
}
