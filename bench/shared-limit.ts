// How much of a tight limit five delivery pods use together, and that they never use more: 2 connections and 100 messages a minute from
// one address, with more mail waiting than may go. `node bench/shared-limit.ts [seconds] [kills]`: with `kills` a delivery pod, the holder of
// the address and another delivery pod are killed (-9) under way, and started again as the kubelet would.
import { setTimeout as delay } from 'node:timers/promises';
import { DnsServer } from '../e2e/internet/dns.ts';
import { mostWithin } from '../e2e/internet/within.ts';
import { Zones } from '../e2e/internet/zone.ts';
import { type RolePod, startFleet } from '../e2e/rig/fleet.ts';
import { Child } from '../e2e/rig/servers.ts';
import { cpuSeconds } from './cpu.ts';
import { recordFigures, rounded } from './figures.ts';
import { startLimitedHost } from './limited-host.ts';
import type { Load } from './load.ts';
import { enterOwnNetwork } from './namespace.ts';

const seconds = Number(process.argv[2] ?? 180);
const isKilling = process.argv[3] === 'kills';
const PER_MINUTE = 100;
const CONNECTIONS = 2;
const PODS = 5;
const HOST = '127.1.0.1';
const DNS_PORT = 5300;

enterOwnNetwork();
const again: Child[] = [];
const host = await startLimitedHost(HOST);
const zones = new Zones();
zones.set([
  { name: 'limited.test', type: 'MX', data: { preference: 10, exchange: 'mx.limited.test' } },
  { name: 'mx.limited.test', type: 'A', data: HOST },
]);
const dns = new DnsServer(zones);
await dns.listen('127.0.0.1', DNS_PORT);
const fleet = await startFleet({
  domain: 'bench.test',
  shards: 2 * PODS,
  deliveries: PODS,
  addresses: [{ address: '127.2.0.1', ehlo: 'mta1.bench.test' }],
  dnsServers: [`127.0.0.1:${DNS_PORT}`],
  policy: { shaping: { default: { connections: CONNECTIONS, perMinute: PER_MINUTE } } },
});
try {
  const messages = Math.ceil((seconds / 60 + 3) * PER_MINUTE);
  const load: Load = {
    ...{ host: '127.0.0.1', port: fleet.ingress.smtpPort, from: 'news@bench.test', auth: fleet.credentials },
    ...{ messages, sessions: 10, bytes: 2000, domains: ['limited.test'] },
  };
  const program = [`${import.meta.dirname}/load.ts`, JSON.stringify(load)];
  const child = new Child(process.execPath, program, { name: 'load' });
  if ((await child.exited) !== 0) throw new Error(`the load failed:\n${child.output}`);
  const began = performance.now();
  const cpu = () => fleet.deliveries.map((one) => cpuSeconds(one.child.process.pid as number));
  const before = cpu();
  const victims = isKilling ? [fleet.deliveries[1], fleet.egress, fleet.deliveries[3]] : [];
  for (const victim of victims) {
    await delay((seconds * 1000) / (victims.length + 1));
    if (victim) await killed(victim);
  }
  await delay(began + seconds * 1000 - performance.now());
  const spent = cpu().reduce((sum, one, i) => sum + one - (before[i] ?? 0), 0);
  const taken = host.takenAt.filter((at) => at >= began && at < began + seconds * 1000).length;
  const conditions = `${PODS} delivery pods, ${CONNECTIONS} connections and ${PER_MINUTE} messages a minute from one address, more mail than may go${isKilling ? ', two delivery pods and the holder killed under way' : ''}, ${seconds} s`;
  const figure = (name: string, value: number, unit: string) => ({ figure: name, value, unit, conditions });
  recordFigures('shared-limit', [
    figure('shared_limit_use_percent', rounded((taken / ((seconds / 60) * PER_MINUTE)) * 100), '%'),
    figure('shared_limit_most_in_a_minute', mostWithin(host.takenAt, 60_000), ''),
    figure('shared_limit_most_connections', host.mostOpen(), ''),
    // Of pods that were killed it is not known.
    ...(isKilling
      ? []
      : [figure('shared_limit_delivery_cpu_percent', rounded((spent / seconds / PODS) * 100), '%')]),
  ]);
  if (mostWithin(host.takenAt, 60_000) > PER_MINUTE || host.mostOpen() > CONNECTIONS) process.exitCode = 1;
} finally {
  await Promise.all(again.map((child) => child.stop('SIGTERM', 5000)));
  await fleet.stop();
  await dns.close();
  await host.stop();
}

/** kill -9, and the container is started again in the same pod after two seconds. */
async function killed({ child, name, env }: RolePod): Promise<void> {
  await child.stop('SIGKILL');
  await delay(2000);
  const role = name.includes('delivery') ? 'delivery' : 'egress';
  again.push(new Child(process.execPath, [`${import.meta.dirname}/../cli/main.ts`, role], { name, env }));
}
