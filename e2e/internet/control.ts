// The internet's control: HTTP with JSON on a Unix socket. Reachable through namespaces, and never from the mail network.
import { rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import type { Internet } from './internet.ts';
import type { InternetRecord } from './record.ts';

type Handler = (internet: Internet, body: string, url: URL, response: ServerResponse) => unknown;

const ROUTES: Record<string, Handler> = {
  'GET /world': ({ world }) => world,
  'GET /ca': ({ ca }) => ({ ca }),
  'GET /counts': (internet) => counts(internet),
  'GET /records': (internet, _body, url, response) => records(internet, url, response),
  'GET /messages': (internet, _body, url) => internet.recorder.bytes(url.searchParams.get('file') ?? ''),
  'GET /dns': ({ zones }) => zones.records,
  'POST /dns': ({ zones }, body) => zones.set(JSON.parse(body)),
  'POST /dns/remove': ({ zones }, body) => {
    const { name, type } = JSON.parse(body);
    zones.remove(name, type);
  },
  'POST /dns/faults': ({ zones }, body) => zones.setFaults(JSON.parse(body)),
  'POST /behaviour': (internet, body) => {
    const { name, behaviour } = JSON.parse(body);
    internet.setBehaviour(name, behaviour);
  },
  'POST /reset': (internet) => internet.reset(),
};

/** Serves the control socket at `path`, replacing what a process that ended left there. */
export function serveControl(internet: Internet, path: string): Promise<Server> {
  rmSync(path, { force: true });
  const server = createServer((request, response) => void handle(internet, request, response));
  return new Promise((resolve, reject) => {
    server.once('error', reject).listen(path, () => resolve(server));
  });
}

async function handle(internet: Internet, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://internet');
  const route = ROUTES[`${request.method} ${url.pathname}`];
  try {
    if (!route) return void response.writeHead(404).end();
    const result = await route(internet, await text(request), url, response);
    if (response.headersSent) return;
    if (Buffer.isBuffer(result)) return void response.end(result);
    response.setHeader('content-type', 'application/json').end(JSON.stringify(result ?? {}));
  } catch (error) {
    if (!response.headersSent) response.writeHead(400);
    response.end(JSON.stringify({ error: (error as Error).message }));
  }
}

/** Records as NDJSON, from `after` (a seq) on; with `follow` those to come too. */
function records({ recorder }: Internet, url: URL, response: ServerResponse): void {
  const after = Number(url.searchParams.get('after') ?? 0);
  response.writeHead(200, { 'content-type': 'application/x-ndjson' });
  const write = (record: InternetRecord) => void response.write(`${JSON.stringify(record)}\n`);
  for (const record of recorder.records.slice(after)) write(record);
  if (!url.searchParams.has('follow')) return void response.end();
  response.flushHeaders();
  response.once('close', recorder.follow(write));
}

function counts(internet: Internet) {
  const { records: all } = internet.recorder;
  const of = (outcome: string) =>
    all.filter((one) => one.kind === 'attempt' && one.outcome === outcome).length;
  const messages = all.filter((one) => one.kind === 'message');
  return {
    ...{
      records: all.length,
      messages: messages.length,
      notifications: messages.filter(({ dsn }) => dsn).length,
    },
    ...{ delivered: of('delivered'), deferred: of('deferred'), refused: of('refused') },
    peaks: internet.peaks,
    dnsQuestions: Object.fromEntries(internet.dns.asked),
  };
}
export type Counts = ReturnType<typeof counts>;
