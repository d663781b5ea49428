// Addresses that move between two nodes of one segment, in network namespaces, with the real ip(8), frames and neighbour caches.
// Needs root.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { until } from '../../e2e/rig/servers.ts';

const prefix = `pfm${process.pid}-`;
const [FIRST, SECOND, NEIGHBOUR] = ['a', 'b', 'n'].map((name) => prefix + name) as [string, string, string];
const ip = (...args: string[]) => execFileSync('ip', args, { encoding: 'utf8' });
const inside = (namespace: string, ...args: string[]) => ip('-n', namespace, ...args);
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

/** Who answers the neighbour at the address; null: nobody within half a second. */
async function answerAt(address: string): Promise<string | null> {
  const script = `require('node:net').connect({ host: '${address}', port: 2525 }).on('data', (d) => { console.log(String(d)); process.exit(0); }).on('error', () => process.exit(1)); setTimeout(() => process.exit(1), 500)`;
  const child = spawn('nsenter', [`--net=/run/netns/${NEIGHBOUR}`, process.execPath, '-e', script]);
  let text = '';
  child.stdout.on('data', (data) => {
    text += data;
  });
  await once(child, 'close');
  return text.trim() || null;
}
const addressesOf = (namespace: string) => inside(namespace, '-o', 'address', 'show', 'dev', 'eth0');

beforeAll(async () => {
  for (const name of [FIRST, SECOND, NEIGHBOUR]) ip('netns', 'add', name);
  // The neighbour is the switch as well.
  inside(NEIGHBOUR, 'link', 'add', 'br0', 'type', 'bridge');
  for (const [i, name] of [FIRST, SECOND].entries()) {
    inside(NEIGHBOUR, 'link', 'add', `port${i}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name);
    inside(NEIGHBOUR, 'link', 'set', `port${i}`, 'master', 'br0', 'up');
    inside(name, 'link', 'set', 'lo', 'up');
    inside(name, 'link', 'set', 'eth0', 'up');
    inside(name, 'address', 'add', `10.9.9.${i + 1}/24`, 'dev', 'eth0');
    inside(name, 'address', 'add', `2001:db8:9::${i + 1}/64`, 'dev', 'eth0', 'nodad');
  }
  inside(NEIGHBOUR, 'link', 'set', 'br0', 'up');
  inside(NEIGHBOUR, 'address', 'add', '10.9.9.9/24', 'dev', 'br0');
  inside(NEIGHBOUR, 'address', 'add', '2001:db8:9::9/64', 'dev', 'br0', 'nodad');
  inside(NEIGHBOUR, 'route', 'add', '198.51.100.0/24', 'dev', 'br0');
  inside(NEIGHBOUR, 'route', 'add', '2001:db8:51::/64', 'dev', 'br0');
  nodes = [new Node(FIRST), new Node(SECOND)];
  await until('both nodes', () => nodes.every(({ said }) => said.includes('ready')), 20_000);
}, 30_000);
afterAll(() => {
  for (const { process } of nodes) process.kill('SIGKILL');
  for (const name of [FIRST, SECOND, NEIGHBOUR]) ip('netns', 'del', name);
});

test.each(['198.51.100.7', '2001:db8:51::7'])(
  '%s moves: neighbours that knew the old node reach the new one at once',
  async (address) => {
    expect(await nodes[0].ask(`raise ${address} 60000`)).toMatch(/^done/);
    await until('the first to answer', async () => (await answerAt(address)) === FIRST);
    expect(inside(NEIGHBOUR, 'neigh', 'show', address)).toMatch(/REACHABLE|STALE|DELAY/);
    await nodes[0].ask(`lower ${address}`);
    expect(addressesOf(FIRST)).not.toContain(`${address}/`);
    expect(await nodes[1].ask(`raise ${address} 60000`)).toMatch(/^done/);
    // Left to itself the neighbour would go on with the old node for five seconds before it asks.
    await until('the second to answer', async () => (await answerAt(address)) === SECOND, 2500);
    await nodes[1].ask(`lower ${address}`);
    expect(nodes.flatMap(({ said }) => said.filter((line) => line.startsWith('warned')))).toEqual([]);
  },
  20_000,
);

test('a holder that is stopped in mid-breath loses the address with its lease, and cannot use it when it goes on', async () => {
  const address = '198.51.100.8';
  await nodes[0].ask(`raise ${address} 3000`);
  expect(addressesOf(FIRST)).toContain(address);
  nodes[0].process.kill('SIGSTOP');
  await until('the kernel to take it down', () => !addressesOf(FIRST).includes(address), 6000);
  nodes[0].process.kill('SIGCONT');
  expect(await nodes[0].ask(`lower ${address}`)).toMatch(/^done/);
}, 20_000);

test('renewing keeps it up; it is deprecated, so that nothing else comes to send from it', async () => {
  const address = '198.51.100.9';
  for (const _ of Array.from({ length: 4 })) {
    await nodes[0].ask(`raise ${address} 3000`);
    expect(addressesOf(FIRST)).toMatch(/198\.51\.100\.9\/32 scope global deprecated dynamic/);
    const before = Date.now();
    await until('a second', () => Date.now() - before > 1000);
  }
  await nodes[0].ask(`lower ${address}`);
  expect(addressesOf(FIRST)).not.toContain(address);
}, 20_000);

test('what ip refuses is said in its words', async () => {
  const bad = await nodes[1].ask('raise 300.1.1.1 3000');
  expect(bad).toContain('failed raise 300.1.1.1 3000: ip address replace 300.1.1.1/32 dev eth0');
  expect(bad).toContain('any valid prefix is expected');
  expect(await nodes[1].ask('raise 198.51.100.10 3000')).toMatch(/^done/);
});
