// A mail exchanger: a listener on its address that gives each connection a session.
import { createServer, type Server, type Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import type { Behaviour, TlsKind } from './behaviour.ts';
import type { Openings } from './openings.ts';
import type { Recorder } from './recorder.ts';
import type { Sightings } from './sightings.ts';
import { SmtpSession } from './smtp_session.ts';

export interface MxOptions {
  readonly hostname: string;
  readonly address: string;
  readonly port: number;
  readonly behaviour: Behaviour;
  readonly certificate: (kind: TlsKind) => SecureContext | null;
  readonly recorder: Recorder;
  readonly sightings: Sightings;
  readonly openings: Openings;
  /** 60 s. */
  readonly idleMs?: number;
}

const IDLE_MS = 60_000;

export class MailExchanger {
  behaviour: Behaviour;
  readonly #options: MxOptions;
  readonly #server: Server;
  readonly #open = new Set<Socket>();

  constructor(options: MxOptions) {
    this.#options = options;
    this.behaviour = options.behaviour;
    this.#server = createServer({ noDelay: true }, (socket) => void this.#serve(socket));
  }

  get hostname(): string {
    return this.#options.hostname;
  }

  listen(): Promise<void> {
    const { address, port } = this.#options;
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject).listen({ host: address, port, exclusive: true }, resolve);
    });
  }

  async #serve(socket: Socket): Promise<void> {
    const { idleMs = IDLE_MS } = this.#options;
    socket.on('error', () => {});
    this.#count(socket);
    if (this.#open.size > (this.behaviour.maxConnections ?? Number.POSITIVE_INFINITY)) {
      // It takes no place while it goes.
      this.#open.delete(socket);
      socket.end('421 4.7.0 too many connections\r\n').setTimeout(idleMs, () => socket.destroy());
      return;
    }
    const { certificate, openings: _, ...rest } = this.#options;
    const session = new SmtpSession(socket, {
      ...rest,
      idleMs,
      behaviour: () => this.behaviour,
      context: () => certificate(this.behaviour.tls ?? 'good'),
    });
    await session.run();
  }

  #count(socket: Socket): void {
    const leave = this.#options.openings.enter(this.hostname, socket.remoteAddress ?? '');
    this.#open.add(socket);
    socket.once('close', () => {
      this.#open.delete(socket);
      leave();
    });
  }

  async close(): Promise<void> {
    for (const socket of this.#open) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
