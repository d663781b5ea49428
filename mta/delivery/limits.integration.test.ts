// Five callers against one limit, as processes: some are killed, one lies in its reports, the holder of the address is killed and replaced,
// and the limit changes. The judge is the host, which knows only when each recipient came and what was open.
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { mostWithin } from '../../e2e/internet/within.ts';
import { freePorts, until } from '../../e2e/rig/servers.ts';
import { leaseKey } from '../bus/names.ts';
import { type EgressPod, EgressPods, metricsOf } from './egresspods.fixture.ts';

const ADDRESS = '127.0.0.61';
const LIMIT = { connections: 2, perSecond: 20, perMinute: 300, connectionAttemptsPerMinute: 250 };
/** By when egress has heard of a limit that was changed. */
const HEARD_MS = 2000;
/** More than what may come until then, and is granted by then, at five a second. */
const STILL_COME = 30;
let pods: EgressPods;

beforeAll(async () => {
  pods = await EgressPods.start();
  await pods.setIpPool([{ address: ADDRESS, ehlo: 'out.example.com' }]);
  await pods.setShaping(LIMIT);
}, 60_000);
afterAll(() => pods.stop());

/** The host: when each recipient came, and most connections at once. */
async function startHost() {
  const [times, open] = [[] as number[], new Set<Socket>()];
  let peak = 0;
  let opened = 0;
  const server = createServer((socket) => {
    opened++;
    open.add(socket);
    peak = Math.max(peak, open.size);
    socket.on('error', () => {}).once('close', () => open.delete(socket));
    socket.on('data', (lines) => {
      for (const _ of lines.toString().trimEnd().split('\n')) times.push(performance.now());
      setTimeout(() => socket.write('250 ok\n'), 5);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  return { port, times, peak: () => peak, opened: () => opened, close: () => server.close() };
}

const holder = async (): Promise<string | undefined> => (await pods.leaseOf(leaseKey(ADDRESS)))?.holder.pod;

/** How often a holder has refused for the sake of a window. */
async function refusedFor(window: string, pod: EgressPod): Promise<number> {
  const text = await metricsOf(pod);
  const line = new RegExp(`^postfleet_egress_limit_refusals_total\\{.*limit="${window}".*\\} (\\d+)$`, 'm');
  return Number(line.exec(text)?.[1] ?? 0);
}

test('five callers, two of them killed, one that lies, the holder killed, the limit lowered: the host never sees more', async () => {
  const host = await startHost();
  const [port1 = 0, port2 = 0, metrics1 = 0, metrics2 = 0] = await freePorts(4);
  const e1 = { pod: 'e1', node: 'node-1', port: port1, metrics: metrics1 };
  const e2 = { pod: 'e2', node: 'node-1', port: port2, metrics: metrics2 };
  const first = await pods.startEgress(e1);
  await until('the first holder', async () => (await holder()) === 'e1');
  await pods.startEgress(e2);
  const caller = (uid: string, ...more: string[]) =>
    pods.startCaller(uid, [String(host.port), ADDRESS, `${port1},${port2}`, ...more]);
  const [one, two] = await Promise.all([
    caller('c1'),
    caller('c2'),
    caller('c3'),
    caller('c4'),
    caller('c5', 'lies'),
  ]);
  const came = (count: number) => until(`${count} recipients`, () => host.times.length >= count, 30_000);
  await came(40);
  await Promise.all([one?.stop('SIGKILL'), two?.stop('SIGKILL')]);
  await Promise.all([caller('c6'), caller('c7')]);
  await came(80);
  const metrics = await metricsOf(e1);
  expect(metrics).toMatch(
    /postfleet_egress_limit\{address="127.0.0.61",provider="127.0.0.1",window="minute"\} 300/,
  );
  expect(metrics).toMatch(
    /postfleet_egress_limit_use\{address="127.0.0.61",provider="127.0.0.1",window="minute"\} \d+/,
  );
  expect(metrics).toMatch(/postfleet_egress_limit_refusals_total\{.*provider="127.0.0.1"/);
  await first.stop('SIGKILL');
  const before = host.times.length;
  await until('the second holder', async () => (await holder()) === 'e2', 40_000);
  await came(before + 40);

  await pods.setShaping({ ...LIMIT, perSecond: 5 });
  const slowed = performance.now();
  const late = () => host.times.filter((at) => at > slowed + HEARD_MS);
  await until('some under the lower limit', () => late().length > 20, 30_000);
  expect(mostWithin(late(), 1000)).toBeLessThanOrEqual(5);

  // What came within the last minute counts under the new limit as well: there is no fresh budget.
  const lastMinute = () => host.times.filter((at) => at > performance.now() - 60_000).length;
  const perMinute = lastMinute() + STILL_COME;
  expect(perMinute).toBeLessThan(LIMIT.perMinute);
  const refused = await refusedFor('minute', e2);
  await pods.setShaping({ ...LIMIT, perMinute });
  const lowered = performance.now();
  await until('the minute to be full', async () => (await refusedFor('minute', e2)) > refused, 40_000);
  host.close();
  const since = host.times.filter((at) => at > lowered - 60_000);
  expect(since.length).toBeGreaterThan(perMinute / 2);
  expect(mostWithin(since, 60_000)).toBeLessThanOrEqual(perMinute);
  expect(mostWithin(host.times, 1000)).toBeLessThanOrEqual(LIMIT.perSecond);
  expect(mostWithin(host.times, 60_000)).toBeLessThanOrEqual(LIMIT.perMinute);
  expect(host.peak()).toBeLessThanOrEqual(LIMIT.connections);
}, 120_000);
