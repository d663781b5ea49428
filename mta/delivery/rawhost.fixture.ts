// A remote host as a list of lines: what it offers at EHLO, what it does with STARTTLS, and a record of what it was told.
import { createServer, type Socket } from 'node:net';

export interface RawHost {
  readonly commands: string[];
  readonly messages: string[];
  connections: number;
  stop(): Promise<void>;
}
export interface RawBehaviour {
  /** When it greets; at once if nothing is said. */
  readonly greets?: Promise<void>;
  /** Keywords of the answer to EHLO. */
  readonly offers?: readonly string[];
  /** What follows the 220 to STARTTLS, when the client begins its handshake. */
  readonly handshake?: (socket: Socket) => void;
  /** What follows the final dot instead of a 250. */
  readonly dot?: ((socket: Socket) => void) | undefined;
  /** Answers a line itself; undefined: the usual. */
  readonly answer?: (line: string, socket: Socket) => string | undefined;
}

const USUAL: readonly (readonly [RegExp, string])[] = [
  [/^(MAIL|RCPT|RSET|NOOP)/i, '250 ok'],
  [/^DATA/i, '354 go ahead'],
  [/^QUIT/i, '221 bye'],
];

export function rawHost(host: string, port: number, behaviour: RawBehaviour = {}): Promise<RawHost> {
  const { greets, offers = [], handshake, answer, dot } = behaviour;
  const sockets = new Set<Socket>();
  const raw: RawHost = { commands: [], messages: [], connections: 0, stop: async () => {} };
  const server = createServer((socket) => {
    raw.connections++;
    sockets.add(socket);
    socket.on('error', () => {}).once('close', () => sockets.delete(socket));
    serve(socket);
  });
  function serve(socket: Socket): void {
    let text = '';
    let body: string[] | null = null;
    const say = (line: string) => socket.write(`${line}\r\n`);
    const take = (line: string) => {
      if (body && line !== '.') return void body.push(line);
      if (body) {
        raw.messages.push(body.join('\r\n'));
        body = null;
        return dot ? dot(socket) : say('250 taken');
      }
      raw.commands.push(line);
      const own = answer?.(line, socket);
      if (own !== undefined) return say(own);
      if (/^EHLO/i.test(line))
        return say(['250-raw', ...offers.map((one) => `250-${one}`), '250 HELP'].join('\r\n'));
      if (/^STARTTLS/i.test(line) && handshake) {
        say('220 go ahead');
        socket.removeAllListeners('data').once('data', () => handshake(socket));
        return;
      }
      if (/^DATA/i.test(line)) body = [];
      say(USUAL.find(([pattern]) => pattern.test(line))?.[1] ?? '502 5.5.1 not implemented');
    };
    socket.on('data', (chunk) => {
      const lines = (text + chunk.toString()).split('\r\n');
      text = lines.pop() ?? '';
      for (const line of lines) take(line);
    });
    void (greets ?? Promise.resolve()).then(() => say('220 raw ready'));
  }
  raw.stop = () => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(() => resolve()));
  };
  return new Promise((resolve, reject) =>
    server.once('error', reject).listen(port, host, () => resolve(raw)),
  );
}
