// Three egress pods with an address each, one cap over all of them, as processes: the pod that lends is killed, the next one is stopped for
// longer than its lease and goes on. The judge is the host, which knows only when each recipient came and by which connection.
import { once } from 'node:events';
import { createServer } from 'node:net';
import { mostWithin } from '../../e2e/internet/within.ts';
import { type Child, freePorts, until } from '../../e2e/rig/servers.ts';
import { leaseKey, lenderKey } from '../bus/names.ts';
import { type EgressPod, EgressPods, metricsOf } from './egresspods.fixture.ts';

const PODS = ['e1', 'e2', 'e3'].map((pod, at) => ({
  pod,
  node: `node-${pod}`,
  address: `127.0.0.${71 + at}`,
}));
const POOL = { connections: 3, perMinute: 60, connectionAttemptsPerMinute: 50 };
/** What the host takes for a recipient: three connections could carry twice the cap. */
const REPLY_MS = 1500;
let pods: EgressPods;

beforeAll(async () => {
  pods = await EgressPods.start();
  await pods.setIpPool(
    PODS.map(({ address, pod }) => ({ address, ehlo: `${pod}.example.com` })),
    { placement: Object.fromEntries(PODS.map(({ address, node }) => [address, [node]])) },
  );
  await pods.setShaping({ connections: 10, pool: POOL });
}, 60_000);
afterAll(() => pods.stop());

/** From the first to the last recipient of each connection, and when each recipient came. */
async function startHost() {
  const times: number[] = [];
  const begun: number[] = [];
  const used: { from: number; to: number }[] = [];
  const server = createServer((socket) => {
    begun.push(performance.now());
    const use = { from: Number.POSITIVE_INFINITY, to: 0 };
    used.push(use);
    socket.on('error', () => {});
    socket.on('data', (lines) => {
      use.from = Math.min(use.from, performance.now());
      for (const _ of lines.toString().trimEnd().split('\n')) times.push(performance.now());
      setTimeout(() => {
        use.to = performance.now();
        socket.write('250 ok\n');
      }, REPLY_MS);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  /** Most connections in use at once: one of a pod that was stopped is open, and carries nothing. */
  const peak = () =>
    Math.max(
      ...used.map(({ from }) => used.filter((other) => other.from <= from && other.to > from).length),
      0,
    );
  return { port, times, begun, peak, close: () => server.close() };
}

const lender = async (): Promise<string | null> => {
  const lease = await pods.leaseOf(lenderKey('mail/ips'));
  return !lease || lease.released ? null : lease.holder.pod;
};

test('three pods under one cap, the lender killed, its successor stopped: the host never sees more', async () => {
  const host = await startHost();
  const ports = await freePorts(2 * PODS.length);
  const egress = PODS.map((one, at) => ({
    ...one,
    port: ports[2 * at] ?? 0,
    metrics: ports[2 * at + 1] ?? 0,
  }));
  const children = new Map<string, Child>();
  const startPod = async (one: EgressPod) => void children.set(one.pod, await pods.startEgress(one));
  await Promise.all(egress.map(startPod));
  const podOf = (name: string | null) => {
    const one = egress.find(({ pod }) => pod === name);
    const child = name === null ? undefined : children.get(name);
    if (!one || !child) throw new Error(`no pod ${name}`);
    return { ...one, child };
  };
  for (const { address, pod } of PODS)
    await until(
      `${pod} to hold ${address}`,
      async () => {
        if ((await pods.leaseOf(leaseKey(address)))?.holder.pod === pod) return true;
        throw new Error(podOf(pod).child.output.slice(-2000));
      },
      180_000,
    );
  const callers = PODS.flatMap(({ address }, at) =>
    ['a', 'b'].map((which) =>
      pods.startCaller(`c${at}${which}`, [String(host.port), address, String(egress[at]?.port)]),
    ),
  );
  await Promise.all(callers);
  const began = performance.now();
  const came = (count: number, ms = 60_000) =>
    until(`${count} recipients`, () => host.times.length >= count, ms);
  await came(20);

  const first = podOf(await lender());
  const metrics = await metricsOf(first);
  expect(metrics).toMatch(/postfleet_egress_pool_limit\{provider="127.0.0.1",window="connections"\} 3/);
  expect(metrics).toMatch(/postfleet_egress_pool_limit_use\{provider="127.0.0.1",window="minute"\} \d+/);
  await first.child.stop('SIGKILL');
  await until('another lender', async () => (await lender()) !== first.pod, 15_000);
  await startPod(first);
  await came(host.times.length + 30, 90_000);

  const second = podOf(await lender());
  second.child.process.kill('SIGSTOP');
  await until('a third lender', async () => (await lender()) !== second.pod, 15_000);
  await came(host.times.length + 10, 90_000);
  second.child.process.kill('SIGCONT');
  await came(host.times.length + 30, 90_000);
  const minutes = (performance.now() - began) / 60_000;
  host.close();
  const figures = {
    mostInAMinute: mostWithin(host.times, 60_000),
    mostConnections: host.peak(),
    mostBegun: mostWithin(host.begun, 60_000),
    use: host.times.length / (minutes * POOL.perMinute),
    minutes,
  };
  if (process.env.POOL_CAPS_FIGURES) console.log(figures, host.times.length);
  expect(figures.mostInAMinute).toBeLessThanOrEqual(POOL.perMinute);
  expect(figures.mostConnections).toBeLessThanOrEqual(POOL.connections);
  expect(figures.mostBegun).toBeLessThanOrEqual(POOL.connectionAttemptsPerMinute);
  expect(figures.use).toBeGreaterThan(0.5);
}, 600_000);
