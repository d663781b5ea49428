// For tests: an HTTP server that answers like an API server, in exactly the way a test has written down, traps included.
import { EventEmitter, once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { Agent } from 'undici';
import type { Connection } from './connection.ts';
import { KubeApi, type KubeApiOptions } from './transport.ts';

export interface Recorded {
  /** `GET /api/v1/pods`, or `WATCH /api/v1/pods`. */
  readonly route: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  /** Parsed JSON; null when there was none. */
  readonly body: unknown;
}
export type Answer = (response: ServerResponse, request: Recorded) => void;

export const json =
  (status: number, body: unknown, headers: Record<string, string> = {}): Answer =>
  (response) =>
    void response
      .writeHead(status, { 'content-type': 'application/json', ...headers })
      .end(JSON.stringify(body));

/** The Status object of an error. */
export const status = (code: number, reason: string, headers: Record<string, string> = {}): Answer =>
  json(code, { kind: 'Status', status: 'Failure', code, reason, message: `${reason} by script` }, headers);

export const list = (resourceVersion: string, items: readonly unknown[], more = ''): Answer =>
  json(200, { kind: 'List', metadata: { resourceVersion, ...(more ? { continue: more } : {}) }, items });

/** A watch that sends events and then ends, hangs in silence, or breaks off within a line. */
export const stream =
  (events: readonly unknown[], then: 'end' | 'hang' | 'cut' = 'hang'): Answer =>
  (response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    for (const event of events) response.write(`${JSON.stringify(event)}\n`);
    if (then === 'end') response.end();
    if (then === 'cut') response.end('{"type":"ADDED","object":{"met');
  };

export class ScriptedApiServer {
  readonly requests: Recorded[] = [];
  /** TCP (or TLS) connections accepted so far. */
  connections = 0;
  readonly #server: Server;
  readonly #scripts = new Map<string, Answer[]>();
  readonly #arrivals = new EventEmitter();

  constructor(tls?: { readonly cert: string; readonly key: string }) {
    const listener = (request: IncomingMessage, response: ServerResponse) =>
      void this.#take(request, response);
    this.#server = tls ? createTlsServer(tls, listener) : createServer(listener);
    this.#server.on(tls ? 'secureConnection' : 'connection', () => {
      this.connections += 1;
    });
  }

  static async start(tls?: { readonly cert: string; readonly key: string }): Promise<ScriptedApiServer> {
    const server = new ScriptedApiServer(tls);
    server.#server.listen(0, '127.0.0.1');
    await once(server.#server, 'listening');
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Answers to one route, one a request; the last is repeated. */
  script(route: string, ...answers: readonly Answer[]): this {
    this.#scripts.set(route, [...answers]);
    return this;
  }

  /** Resolves with the `count`-th request to `route`. */
  async seen(route: string, count = 1): Promise<Recorded> {
    for (;;) {
      const found = this.requestsTo(route)[count - 1];
      if (found) return found;
      await once(this.#arrivals, 'request');
    }
  }

  requestsTo(route: string): readonly Recorded[] {
    return this.requests.filter((request) => request.route === route);
  }

  api(options: KubeApiOptions = {}): KubeApi {
    const dispatcher = new Agent();
    const connection: Connection = {
      server: `http://127.0.0.1:${this.port}`,
      access: async () => ({ dispatcher, headers: {} }),
      close: () => dispatcher.destroy(),
    };
    return new KubeApi(connection, options);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://scripted');
    const verb = url.searchParams.has('watch') ? 'WATCH' : request.method;
    let body = '';
    for await (const chunk of request) body += chunk;
    const recorded: Recorded = {
      route: `${verb} ${url.pathname}`,
      query: url.searchParams,
      headers: request.headers,
      body: body ? JSON.parse(body) : null,
    };
    this.requests.push(recorded);
    const script = this.#scripts.get(recorded.route) ?? [];
    const answer = (script.length > 1 ? script.shift() : script[0]) ?? status(404, 'NotFound');
    answer(response, recorded);
    this.#arrivals.emit('request');
  }
}

/** Resolves as soon as `condition` holds, looking once per turn of the event loop. */
export async function eventually(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
