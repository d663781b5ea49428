// A mail host that notes when it took each message, and how many connections were open: the judge of limits.
import { createServer, type Server, type Socket } from 'node:net';

export interface LimitedHost {
  /** When each message was taken, ms by the monotonic clock. */
  readonly takenAt: readonly number[];
  /** Most connections that were open at once. */
  readonly mostOpen: () => number;
  stop(): Promise<void>;
}

/** Listens on port 25 of `address`. */
export async function startLimitedHost(address: string): Promise<LimitedHost> {
  const takenAt: number[] = [];
  const sockets = new Set<Socket>();
  let most = 0;
  const server = createServer((socket) => {
    sockets.add(socket);
    most = Math.max(most, sockets.size);
    socket.once('close', () => sockets.delete(socket)).on('error', () => socket.destroy());
    converse(socket, () => takenAt.push(performance.now()));
  });
  await listen(server, address);
  return {
    takenAt,
    mostOpen: () => most,
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function converse(socket: Socket, taken: () => void): void {
  let inData = false;
  let rest = '';
  socket.setNoDelay(true).setEncoding('latin1').write('220 limited.test\r\n');
  socket.on('data', (chunk: string) => {
    rest += chunk;
    for (let end = rest.indexOf('\r\n'); end >= 0; end = rest.indexOf('\r\n')) {
      const line = rest.slice(0, end);
      rest = rest.slice(end + 2);
      if (inData && line !== '.') continue;
      if (inData) taken();
      inData = !inData && /^DATA/i.test(line);
      if (/^QUIT/i.test(line)) socket.end('221 bye\r\n');
      else socket.write(inData ? '354 go on\r\n' : '250 ok\r\n');
    }
  });
}

const listen = (server: Server, address: string): Promise<void> =>
  new Promise((resolve, reject) => server.once('error', reject).listen(25, address, resolve));
