// The way out: HTTP CONNECT through the egress pod that holds the source address (mta/bus/connect.ts), over mutual TLS.
import type { ClientRequest } from 'node:http';
import { Agent, type RequestOptions, request } from 'node:https';
import type { Socket } from 'node:net';
import { createSecureContext, type SecureContext } from 'node:tls';
import {
  CONNECT_GROUP,
  CONNECT_HEADERS,
  CONNECT_REFUSALS,
  type ConnectRefusal,
  type OutcomeReport,
  type OutcomesRequest,
  parseWarmup,
  REPORT_GRACE_MS,
  type WarmupDay,
} from '../bus/connect.ts';
import type { AddressLease } from '../bus/snapshot.ts';

export interface Grant {
  readonly socket: Socket;
  /** Names it in reports of outcomes; null: egress wants none. */
  readonly id: string | null;
  /** Recipients that the connection may carry. */
  readonly messages: number;
  readonly seconds: number;
  readonly provider: string;
  readonly ehlo: string;
  readonly peer: string;
  /** What warm-up leaves of the day; null: it sets no limit. */
  readonly warmup: WarmupDay | null;
}

/** Egress did not connect us. */
export class TunnelRefused extends Error {
  override readonly name = 'TunnelRefused';
  readonly reason: ConnectRefusal | 'EgressUnreachable';
  readonly retryAfterSeconds: number | null;
  readonly warmup: WarmupDay | null;

  constructor(
    reason: TunnelRefused['reason'],
    retryAfterSeconds: number | null,
    { warmup = null, ...options }: ErrorOptions & { readonly warmup?: WarmupDay | null } = {},
  ) {
    super(`egress: ${reason}`, options);
    this.reason = reason;
    this.retryAfterSeconds = retryAfterSeconds;
    this.warmup = warmup;
  }
}

export interface TunnelRequest {
  readonly holder: AddressLease['holder'];
  readonly source: string;
  readonly host: string;
  readonly domain: string;
  /** Whose mail it is. */
  readonly account: string;
  /** How many recipients wait for it. */
  readonly recipients: number;
  /** The shard epochs this pod holds, as `shard:epoch` joined by commas. */
  readonly epochs: string;
}

const TIMEOUT_MS = 90_000;
/** To an egress pod, which is of the same cluster. */
const REACH_MS = 10_000;
const SMTP_PORT = 25;
const NO_MESSAGES = 100;
const NO_SECONDS = 60;

export class Tunnels {
  readonly #tls: () => RequestOptions;
  // Keeps TLS sessions of the egress pods, so that a further tunnel needs no full handshake.
  readonly #agent = new Agent({ keepAlive: false, maxCachedSessions: 200 });

  /** Carries reports. */
  readonly #kept = new Agent({ keepAlive: true, maxSockets: 1, maxCachedSessions: 200 });

  readonly #port: number;
  /** What is open or being opened, and through which holder of which address. */
  readonly #through = new Map<Socket | ClientRequest, Pick<TunnelRequest, 'holder' | 'source'>>();
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
          [CONNECT_HEADERS.account]: encodeURIComponent(ask.account),
          [CONNECT_HEADERS.recipients]: ask.recipients,
        },
        timeout: TIMEOUT_MS,
      });
      const unreachable = (cause: Error) => reject(new TunnelRefused('EgressUnreachable', null, { cause }));
      this.#keep(sent, ask);
      const late = setTimeout(() => sent.destroy(new Error('not reached')), REACH_MS);
      sent.once('socket', (socket) => socket.once('secureConnect', () => clearTimeout(late)));
      sent.once('close', () => clearTimeout(late));
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
          this.#keep(socket as Socket, ask);
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

  #keep(one: Socket | ClientRequest, { holder, source }: TunnelRequest): void {
    this.#through.set(one, { holder, source });
    one.once('close', () => this.#through.delete(one));
  }

  /**
   * Ends what goes through a holder that has lost its address: it has closed the other end, or is gone with its node, and then
   * nobody would say so for minutes. @returns how many were ended
   */
  endLost(leases: ReadonlyMap<string, AddressLease>): number {
    const lost = [...this.#through].filter(([, { holder, source }]) =>
      isLost(leases.get(source), holder.uid),
    );
    for (const [one] of lost) one.destroy(new Error('the address has another holder'));
    return lost.length;
  }

  /** Tells an egress pod what became of recipients. */
  readonly report = (
    { host, port }: AddressLease['holder'],
    reports: readonly OutcomeReport[],
  ): Promise<void> =>
    new Promise((resolve, reject) => {
      const body = JSON.stringify({ reports } satisfies OutcomesRequest);
      const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
      const sent = request(
        {
          ...this.#options(),
          ...{ agent: this.#kept, method: 'POST', host, port, path: '/v1/outcomes', headers },
          timeout: REPORT_GRACE_MS,
        },
        (response) => {
          response.resume();
          response.once('error', reject).once('end', () => {
            // What it does not know or understand it will not understand later either.
            if ((response.statusCode ?? 500) < 500) resolve();
            else reject(new Error(`status ${response.statusCode}`));
          });
        },
      );
      sent.once('timeout', () => sent.destroy(new Error('no answer')));
      sent.once('error', reject);
      sent.end(body);
    });

  close(): void {
    this.#agent.destroy();
  }

  /** After the last report. */
  closeReports(): void {
    this.#kept.destroy();
  }

  /** Parsing key and authorities is most of a handshake's cost: done once for each certificate. */
  #options(): RequestOptions & { secureContext: SecureContext | undefined } {
    const { cert, key, ca, ...rest } = this.#tls();
    if (this.#context?.cert !== cert)
      this.#context = { cert, secure: createSecureContext({ cert, key, ca, ecdhCurve: CONNECT_GROUP }) };
    return { ...rest, secureContext: this.#context?.secure };
  }
}

/** Whether pod `uid` can do nothing more on the address: another holds it, and does not name it among those that linger. Pure. */
export const isLost = (lease: AddressLease | undefined, uid: string): boolean =>
  lease !== undefined &&
  lease.holder.uid !== uid &&
  !lease.lingering?.some(({ holder }) => holder.uid === uid);

type Headers = Readonly<Record<string, string | string[] | undefined>>;

function granted(headers: Headers, socket: Socket): Grant {
  return {
    socket,
    id: headers[CONNECT_HEADERS.grant] === undefined ? null : String(headers[CONNECT_HEADERS.grant]),
    messages: count(headers[CONNECT_HEADERS.messages]) ?? NO_MESSAGES,
    seconds: count(headers[CONNECT_HEADERS.seconds]) ?? NO_SECONDS,
    provider: String(headers[CONNECT_HEADERS.provider] ?? ''),
    ehlo: String(headers[CONNECT_HEADERS.ehlo] ?? ''),
    peer: String(headers[CONNECT_HEADERS.peer] ?? ''),
    warmup: parseWarmup(String(headers[CONNECT_HEADERS.warmup] ?? '')),
  };
}

function refused(status: number, headers: Headers): TunnelRefused {
  const named = String(headers[CONNECT_HEADERS.reason] ?? '');
  const reason = named in CONNECT_REFUSALS ? (named as ConnectRefusal) : byStatus(status);
  const warmup = parseWarmup(String(headers[CONNECT_HEADERS.warmup] ?? ''));
  const ms = count(headers[CONNECT_HEADERS.retryMs]);
  return new TunnelRefused(reason, ms === null ? count(headers['retry-after']) : ms / 1000, { warmup });
}

const byStatus = (status: number): TunnelRefused['reason'] =>
  (Object.keys(CONNECT_REFUSALS) as ConnectRefusal[]).find((reason) => CONNECT_REFUSALS[reason] === status) ??
  'EgressUnreachable';

function count(value: string | string[] | undefined): number | null {
  const number = Number(value);
  return typeof value === 'string' && Number.isFinite(number) && number >= 0 ? number : null;
}
