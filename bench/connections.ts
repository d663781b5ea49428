// The memory of one egress pod with 5,000 open connections, and what opening them costs. `node bench/connections.ts [connections]`
import { readFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startFleet } from '../e2e/rig/fleet.ts';
import { until } from '../e2e/rig/servers.ts';
import { Tunnels } from '../mta/delivery/tunnel.ts';
import { cpuSeconds } from './cpu.ts';
import { recordFigures, rounded } from './figures.ts';
import { enterOwnNetwork } from './namespace.ts';

const [count = 5000] = process.argv.slice(2).map(Number);
const HOST = '127.1.0.1';
const SOURCE = '127.2.0.1';
const AT_ONCE = 50;

enterOwnNetwork();
const open = new Set<Socket>();
const server = createServer((socket) => {
  open.add(socket);
  socket.write('220 host.test\r\n');
  socket.on('error', () => {}).once('close', () => open.delete(socket));
});
await new Promise<void>((resolve) => server.listen(25, HOST, 4096, resolve));
const fleet = await startFleet({
  domain: 'bench.test',
  shards: 1,
  addresses: [{ address: SOURCE, ehlo: 'mta1.bench.test' }],
  dnsServers: ['127.0.0.1:1'],
  policy: { shaping: { default: { connections: 10_000 } } },
});
try {
  const pid = fleet.egress.child.process.pid as number;
  const folder = fleet.deliveries[0]?.env.POSTFLEET_IDENTITY_DIR ?? '';
  const file = (name: string) => readFileSync(join(folder, name));
  const files = { cert: file('tls.crt'), key: file('tls.key'), ca: file('ca.crt') };
  const tunnels = new Tunnels(() => ({ ...files, servername: 'egress.postfleet.internal' }));
  const env = fleet.egress.env;
  const holder = {
    ...{ pod: fleet.egress.name, uid: fleet.egress.uid, node: 'local', host: '127.0.0.1' },
    port: Number(env.POSTFLEET_EGRESS_PORT),
  };
  const ask = {
    holder,
    source: SOURCE,
    host: HOST,
    domain: 'bench.test',
    account: 'acme',
    recipients: 1,
    epochs: '',
  };
  await until('the address to be held', () => tunnels.open(ask).then(({ socket }) => socket.destroy()));
  const before = { cpu: cpuSeconds(pid), mib: memory(pid, 'VmRSS') };
  let asked = 0;
  const opener = async () => {
    while (asked++ < count) (await tunnels.open(ask)).socket.resume();
  };
  const began = performance.now();
  await Promise.all(Array.from({ length: AT_ONCE }, opener));
  const seconds = (performance.now() - began) / 1000;
  await delay(2000);
  if (open.size < count) throw new Error(`${open.size} of ${count} connections are open`);
  const conditions = `${count} connections open through one egress pod, mutual TLS, greeting carried; ${AT_ONCE} opened at a time`;
  const figure = (name: string, value: number, unit: string) => ({
    ...{ figure: name, value: rounded(value), unit, conditions },
  });
  recordFigures('connections', [
    figure('egress_connections_memory_mib', memory(pid, 'VmRSS'), 'MiB'),
    figure('egress_connections_memory_anon_mib', memory(pid, 'RssAnon'), 'MiB'),
    figure('egress_idle_memory_mib', before.mib, 'MiB'),
    figure('egress_connections_per_second', count / seconds, '1/s'),
    figure('egress_cpu_seconds_per_1000_connections', ((cpuSeconds(pid) - before.cpu) / count) * 1000, 's'),
  ]);
} finally {
  await fleet.stop();
  process.exit();
}

function memory(pid: number, field: string): number {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? Number.NaN) / 1024;
}
