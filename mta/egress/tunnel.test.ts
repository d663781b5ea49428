import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { join } from './tunnel.ts';

test('a holder that was stopped and goes on passes nothing of what waited: the judge is asked before each piece', async () => {
  const received: string[] = [];
  const server = createServer((socket) => {
    socket.setEncoding('latin1').on('data', (text: string) => received.push(text));
    socket.on('error', () => {});
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const remote: Socket = connect((server.address() as { port: number }).port, '127.0.0.1');
  const client = new PassThrough();
  let may = true;
  const limits = { idleMs: 5000, halfClosedMs: 5000, lifetimeMs: 5000, mayCarry: () => may };
  const joined = join(client, remote, limits, new AbortController().signal);
  client.write('before');
  await once(server, 'connection');
  while (received.length === 0) await new Promise(setImmediate);
  may = false;
  client.write('after');
  await joined;
  await new Promise((resolve) => server.close(resolve));
  expect(received).toEqual(['before']);
});
