// smtp-server's connection with three things of our own: the one address parser, enhanced status codes that say what is
// meant (it knows one per reply code), and an end without a reply.
import type { Socket } from 'node:net';
import { SMTPServer, type SMTPServerSession } from 'smtp-server';
import { SMTPConnection } from 'smtp-server/lib/smtp-connection.js';
import { parsePathCommand } from '../message/addresses.ts';

const OWN_STATUS = /^[245]\.\d{1,3}\.\d{1,3} /;

class SubmissionConnection extends SMTPConnection {
  override send(code: number, data?: string | string[], context?: string | false): void {
    const own = typeof data === 'string' && OWN_STATUS.test(data);
    // Replies to pipelined commands leave together (RFC 2920 §3.2): each write is a TLS record and a system call.
    const socket = (this as unknown as { _socket: Socket })._socket;
    socket.cork();
    super.send(code, data, own ? false : context);
    setImmediate(() => socket.uncork());
  }

  /** Syntax of the command only; handlers judge the address. */
  override _parseAddressCommand(name: string, command: Buffer | string) {
    const text = command.toString();
    const colon = text.indexOf(':');
    if (text.slice(0, colon).trim().replace(/\s+/g, ' ').toUpperCase() !== name.toUpperCase()) return false;
    const parsed = parsePathCommand(text.slice(colon + 1));
    if (!parsed) return false;
    const args = parsed.parameters.size ? Object.fromEntries(parsed.parameters) : false;
    return {
      address: parsed.path,
      args,
      ...(parsed.repeated && { duplicate: parsed.repeated }),
    } as ReturnType<SMTPConnection['_parseAddressCommand']>;
  }

  /** Nothing is under way that the client waits for. */
  get idle(): boolean {
    const inside = this as unknown as { _dataStream: unknown; _handlerPending: boolean };
    return !inside._dataStream && !inside._handlerPending;
  }

  abort(): void {
    (this as unknown as { _socket: Socket })._socket.destroy();
  }
}

export class SubmissionServer extends SMTPServer {
  readonly #bySession = new WeakMap<SMTPServerSession, SubmissionConnection>();

  override connect(socket: Socket, options: ConstructorParameters<typeof SMTPConnection>[2]): void {
    const connection = new SubmissionConnection(this, socket, options);
    this.#bySession.set(connection.session, connection);
    this.connections.add(connection);
    connection.on('error', (error) => this._onError(error));
    connection.on('connect', (data) => this._onClientConnect(data));
    connection.init();
  }

  /** Closes the session's connection without a reply. */
  abort(session: SMTPServerSession): void {
    this.#bySession.get(session)?.abort();
  }

  /** Tells idle clients that the service closes, and ends their connections. */
  endIdle(): void {
    for (const connection of [...this.connections]) {
      if (connection instanceof SubmissionConnection && connection.idle)
        connection.send(421, '4.3.2 the server is closing, connect again');
    }
  }
}
