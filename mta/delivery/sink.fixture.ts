// An SMTP server that behaves as told and keeps what it has taken.
import type { Socket } from 'node:net';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';

export interface Mail {
  readonly from: string;
  readonly to: readonly string[];
  readonly text: string;
  readonly source: string;
  /** It came over TLS. */
  readonly secure: boolean;
}
export interface Sink {
  readonly mails: Mail[];
  connections: number;
  /** Cuts its connections. */
  cut(): void;
  stop(): Promise<void>;
}
export type Behaviour = Partial<
  Pick<SMTPServerOptions, 'onConnect' | 'onRcptTo' | 'onMailFrom' | 'onData' | 'disabledCommands'>
>;
/** Listens on `host` and `port`; `behaviour` replaces what it does by itself, which is to take everything. */
export async function startSink(host: string, port: number, behaviour: Behaviour): Promise<Sink> {
  const sink: Sink = { mails: [], connections: 0, cut: () => {}, stop: async () => {} };
  const sockets = new Set<Socket>();
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['AUTH', 'STARTTLS'],
    logger: false,
    onConnect: (_, done) => {
      sink.connections++;
      done();
    },
    onData: (stream, session, done) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const { mailFrom, rcptTo } = session.envelope;
        sink.mails.push({
          from: mailFrom ? mailFrom.address : '',
          to: rcptTo.map(({ address }) => address),
          text: Buffer.concat(chunks).toString(),
          source: session.remoteAddress,
          secure: session.secure,
        });
        done();
      });
    },
    ...behaviour,
  });
  server.on('error', () => {});
  server.server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  sink.cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  sink.stop = () => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    sink.cut();
    return closed;
  };
  return sink;
}
