// Addresses that move between two nodes of one segment, in network namespaces, with the real ip(8), frames and neighbour caches.
// Needs root.
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { until } from '../../e2e/rig/servers.ts';
import { Segment } from './segment.fixture.ts';

const segment = new Segment('pfm');
const [FIRST, SECOND] = segment.nodes;
const fixture = new URL('./bringup.fixture.ts', import.meta.url).pathname;

class Node {
  readonly said: string[] = [];
  readonly process: ChildProcess;
  constructor(namespace: string) {
    const enter = [`--net=/run/netns/${namespace}`, process.execPath, fixture, namespace, 'eth0'];
    this.process = spawn('nsenter', enter, { stdio: ['pipe', 'pipe', 'inherit'] });
    if (this.process.stdout) createInterface(this.process.stdout).on('line', (line) => this.said.push(line));
  }
  async ask(line: string): Promise<string> {
    const before = this.said.length;
    this.process.stdin?.write(`${line}\n`);
    await until(line, () => this.said.slice(before).some((said) => said.includes(line)));
    return this.said.slice(before).find((said) => said.includes(line)) ?? '';
  }
}
let nodes: [Node, Node];

beforeAll(async () => {
  segment.up();
  nodes = [new Node(FIRST), new Node(SECOND)];
  await until('both nodes', () => nodes.every(({ said }) => said.includes('ready')), 20_000);
}, 30_000);
afterAll(() => {
  for (const { process } of nodes) process.kill('SIGKILL');
  segment.down();
});

test.each(['198.51.100.7', '2001:db8:51::7'])(
  '%s moves: neighbours that knew the old node reach the new one at once',
  async (address) => {
    expect(await nodes[0].ask(`raise ${address} 60000`)).toMatch(/^done/);
    await until('the first to answer', async () => (await segment.answerAt(address)) === FIRST);
    expect(segment.cacheOf(address)).toMatch(/REACHABLE|STALE|DELAY/);
    await nodes[0].ask(`lower ${address}`);
    expect(segment.addressesOf(FIRST)).not.toContain(`${address}/`);
    expect(await nodes[1].ask(`raise ${address} 60000`)).toMatch(/^done/);
    // Left to itself the neighbour would go on with the old node for five seconds before it asks.
    await until('the second to answer', async () => (await segment.answerAt(address)) === SECOND, 2500);
    await nodes[1].ask(`lower ${address}`);
    expect(nodes.flatMap(({ said }) => said.filter((line) => line.startsWith('warned')))).toEqual([]);
  },
  20_000,
);

test('a holder that is stopped in mid-breath loses the address with its lease, and cannot use it when it goes on', async () => {
  const address = '198.51.100.8';
  await nodes[0].ask(`raise ${address} 3000`);
  expect(segment.addressesOf(FIRST)).toContain(address);
  nodes[0].process.kill('SIGSTOP');
  await until('the kernel to take it down', () => !segment.addressesOf(FIRST).includes(address), 6000);
  nodes[0].process.kill('SIGCONT');
  expect(await nodes[0].ask(`lower ${address}`)).toMatch(/^done/);
}, 20_000);

test('renewing keeps it up; it is deprecated, so that nothing else comes to send from it', async () => {
  const address = '198.51.100.9';
  for (const _ of Array.from({ length: 4 })) {
    await nodes[0].ask(`raise ${address} 3000`);
    expect(segment.addressesOf(FIRST)).toMatch(/198\.51\.100\.9\/32 scope global deprecated dynamic/);
    const before = Date.now();
    await until('a second', () => Date.now() - before > 1000);
  }
  await nodes[0].ask(`lower ${address}`);
  expect(segment.addressesOf(FIRST)).not.toContain(address);
}, 20_000);

test('what ip refuses is said in its words', async () => {
  const bad = await nodes[1].ask('raise 300.1.1.1 3000');
  expect(bad).toContain('failed raise 300.1.1.1 3000: ip address replace 300.1.1.1/32 dev eth0');
  expect(bad).toContain('any valid prefix is expected');
  expect(await nodes[1].ask('raise 198.51.100.10 3000')).toMatch(/^done/);
});
