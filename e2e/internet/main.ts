// Runs the miniature internet until SIGTERM: `node main.ts --control <socket> --folder <folder> [--loopback <net> [--smtp-port n] [--dns-port n]]`.
// Prints `ready` once everything listens. Without --loopback the world's own addresses must stand on an interface.
import { mkdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { serveControl } from './control.ts';
import { Internet } from './internet.ts';
import { demoWorld, onLoopback } from './world.ts';

const { values } = parseArgs({
  options: {
    control: { type: 'string' },
    folder: { type: 'string' },
    loopback: { type: 'string' },
    'smtp-port': { type: 'string', default: '25' },
    'dns-port': { type: 'string', default: '53' },
  },
});
const { control, folder, loopback } = values;
if (!control || !folder) {
  console.error(
    'usage: main.ts --control <socket> --folder <folder> [--loopback <net> [--smtp-port n] [--dns-port n]]',
  );
  process.exit(2);
}
const ports = { smtp: Number(values['smtp-port']), dns: Number(values['dns-port']) };
const world = loopback === undefined ? demoWorld() : onLoopback(demoWorld(), Number(loopback), ports);
mkdirSync(folder, { recursive: true });
const internet = new Internet(world, folder);
await internet.start();
const server = await serveControl(internet, control);
console.log('ready');
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, async () => {
    server.close();
    server.closeAllConnections();
    await internet.stop();
    process.exit(0);
  });
}
