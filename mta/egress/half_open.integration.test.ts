// A peer that vanishes without a word, in a network of its own whose only interface is taken down under the open connection.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

const PROGRAM = `
  import { execFileSync } from 'node:child_process';
  import { createServer, connect } from 'node:net';
  const { noticeDeath } = await import(process.argv[1]);
  const server = createServer((socket) => {
    noticeDeath(socket);
    socket.on('error', () => {}).resume();
    const began = performance.now();
    execFileSync('ip', ['link', 'set', 'lo', 'down']);
    socket.once('close', () => {
      console.log(Math.round(performance.now() - began));
      process.exit(0);
    });
  }).listen(4000, '127.0.0.1', () => connect(4000, '127.0.0.1').on('error', () => {}));
`;

test('the connection of a caller that is gone with its node ends within the time of a lease', async () => {
  const module = join(import.meta.dirname, 'half_open.ts');
  const script = 'ip link set lo up && exec "$@"';
  const node = [process.execPath, '--input-type=module', '-e', PROGRAM, module];
  const child = spawn('unshare', ['-n', 'sh', '-c', script, 'sh', ...node], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const said = (await child.stdout.toArray()) as Buffer[];
  const [code] = child.exitCode === null ? await once(child, 'exit') : [child.exitCode];
  const ms = Number(Buffer.concat(said).toString());
  expect(code).toBe(0);
  expect(ms).toBeGreaterThan(2000);
  expect(ms).toBeLessThan(12_000); // 9 s, and a slow machine
}, 30_000);
