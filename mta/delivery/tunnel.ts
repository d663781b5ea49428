// The way out: HTTP CONNECT through the egress pod that holds the source address (mta/bus/connect.ts), over mutual TLS.
import { Agent, type RequestOptions, request } from 'node:https';
import type { Socket } from 'node:net';
import { createSecureContext, type SecureContext } from 'node:tls';
import { CONNECT_HEADERS, CONNECT_REFUSALS, type ConnectRefusal } from '../bus/connect.ts';
import type { AddressLease } from '../bus/snapshot.ts';

export interface Grant {
  readonly socket: Socket;
  /** Recipients that the connection may carry. */
  readonly messages: number;
  readonly seconds: number;
  readonly provider: string;
  readonly ehlo: string;
  readonly peer: string;
}

/** Egress did not connect us. */
export class TunnelRefused extends Error {
  override readonly name = 'TunnelRefused';
  readonly reason: ConnectRefusal | 'EgressUnreachable';
  readonly retryAfterSeconds: number | null;

  constructor(reason: TunnelRefused['reason'], retryAfterSeconds: number | null, options?: ErrorOptions) {
    super(`egress: ${reason}`, options);
    this.reason = reason;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

export interface TunnelRequest {
  readonly holder: AddressLease['holder'];
  readonly source: string;
  readonly host: string;
  readonly domain: string;
  /** The shard epochs this pod holds, as `shard:epoch` joined by commas. */
  readonly epochs: string;
}

const TIMEOUT_MS = 90_000;
const SMTP_PORT = 25;
const NO_MESSAGES = 100;
const NO_SECONDS = 60;

export class Tunnels {
  readonly #tls: () => RequestOptions;
  // Keeps TLS sessions of the egress pods, so that a further tunnel needs no full handshake.
  readonly #agent = new Agent({ keepAlive: false, maxCachedSessions: 200 });

  readonly #port: number;
  #context: { readonly cert: RequestOptions['cert']; readonly secure: SecureContext } | null = null;

  /** @param tls our certificate, and the check that the other end is egress; read at each connection. */
  constructor(tls: () => RequestOptions, port = SMTP_PORT) {
    this.#tls = tls;
    this.#port = port;
  }

  /** Asks for a connection to `host`. @throws TunnelRefused */
  open(ask: TunnelRequest): Promise<Grant> {
    return new Promise((resolve, reject) => {
      const sent = request({
        ...this.#options(),
        agent: this.#agent,
        method: 'CONNECT',
        host: ask.holder.host,
        port: ask.holder.port,
        path: `${ask.host.includes(':') ? `[${ask.host}]` : ask.host}:${this.#port}`,
        headers: {
          [CONNECT_HEADERS.source]: ask.source,
          [CONNECT_HEADERS.domain]: ask.domain,
          [CONNECT_HEADERS.epochs]: ask.epochs,
        },
        timeout: TIMEOUT_MS,
      });
      const unreachable = (cause: Error) => reject(new TunnelRefused('EgressUnreachable', null, { cause }));
      sent.once('error', unreachable);
      sent.once('timeout', () => sent.destroy(new Error('no answer')));
      sent.once('response', (response) => {
        response.resume();
        unreachable(new Error(`status ${response.statusCode}`));
      });
      sent.once('connect', (response, socket, head) => {
        socket.setTimeout(0);
        if (response.statusCode === 200) {
          if (head.length) socket.unshift(head);
          resolve(granted(response.headers, socket as Socket));
          return;
        }
        socket.on('error', () => {});
        socket.destroy();
        reject(refused(response.statusCode ?? 0, response.headers));
      });
      sent.end();
    });
  }

  close(): void {
    this.#agent.destroy();
  }

  /** Parsing key and authorities is most of a handshake's cost: done once for each certificate. */
  #options(): RequestOptions & { secureContext: SecureContext | undefined } {
    const { cert, key, ca, ...rest } = this.#tls();
    if (this.#context?.cert !== cert)
      this.#context = { cert, secure: createSecureContext({ cert, key, ca }) };
    return { ...rest, secureContext: this.#context?.secure };
  }
}

type Headers = Readonly<Record<string, string | string[] | undefined>>;

function granted(headers: Headers, socket: Socket): Grant {
  return {
    socket,
    messages: count(headers[CONNECT_HEADERS.messages]) ?? NO_MESSAGES,
    seconds: count(headers[CONNECT_HEADERS.seconds]) ?? NO_SECONDS,
    provider: String(headers[CONNECT_HEADERS.provider] ?? ''),
    ehlo: String(headers[CONNECT_HEADERS.ehlo] ?? ''),
    peer: String(headers[CONNECT_HEADERS.peer] ?? ''),
  };
}

function refused(status: number, headers: Headers): TunnelRefused {
  const named = String(headers[CONNECT_HEADERS.reason] ?? '');
  const reason = named in CONNECT_REFUSALS ? (named as ConnectRefusal) : byStatus(status);
  return new TunnelRefused(reason, count(headers['retry-after']));
}

const byStatus = (status: number): TunnelRefused['reason'] =>
  (Object.keys(CONNECT_REFUSALS) as ConnectRefusal[]).find((reason) => CONNECT_REFUSALS[reason] === status) ??
  'EgressUnreachable';

function count(value: string | string[] | undefined): number | null {
  const number = Number(value);
  return typeof value === 'string' && Number.isFinite(number) && number >= 0 ? number : null;
}
