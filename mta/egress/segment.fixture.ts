// Two nodes and a neighbour on one segment, as network namespaces of this machine. Needs root.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';

const ip = (...args: string[]) => execFileSync('ip', args, { encoding: 'utf8' });

export class Segment {
  readonly nodes: readonly [string, string];
  readonly neighbour: string;
  /** The host's own link to it, whose address is `host`. */
  readonly #link: string;
  /** Of the segment; runs side by side meet on the host. */
  readonly #network = `10.9.${1 + (process.pid % 250)}`;

  /** @param prefix of the names, at most six characters: tests run side by side */
  constructor(prefix: string) {
    const name = (part: string) => `${prefix}${process.pid}-${part}`;
    this.nodes = [name('a'), name('b')];
    this.neighbour = name('n');
    this.#link = `${prefix}${process.pid}h`.slice(0, 15);
  }

  get host(): string {
    return `${this.#network}.100`;
  }

  addressOf(node: 0 | 1): string {
    return `${this.#network}.${node + 1}`;
  }

  /** An interface of the host is part of it when `withHost`. The neighbour is the switch as well. */
  up(withHost = false): void {
    for (const name of [...this.nodes, this.neighbour]) ip('netns', 'add', name);
    const within = (namespace: string, ...args: string[]) => ip('-n', namespace, ...args);
    const neighbour = (...args: string[]) => within(this.neighbour, ...args);
    neighbour('link', 'add', 'br0', 'type', 'bridge');
    for (const [i, node] of this.nodes.entries()) {
      neighbour('link', 'add', `port${i}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', node);
      neighbour('link', 'set', `port${i}`, 'master', 'br0', 'up');
      for (const link of ['lo', 'eth0']) within(node, 'link', 'set', link, 'up');
      within(node, 'address', 'add', `${this.#network}.${i + 1}/24`, 'dev', 'eth0');
      within(node, 'address', 'add', `2001:db8:9::${i + 1}/64`, 'dev', 'eth0', 'nodad');
    }
    neighbour('link', 'set', 'br0', 'up');
    neighbour('address', 'add', `${this.#network}.9/24`, 'dev', 'br0');
    neighbour('address', 'add', '2001:db8:9::9/64', 'dev', 'br0', 'nodad');
    neighbour('route', 'add', '198.51.100.0/24', 'dev', 'br0');
    neighbour('route', 'add', '2001:db8:51::/64', 'dev', 'br0');
    if (!withHost) return;
    ip('link', 'add', this.#link, 'type', 'veth', 'peer', 'name', 'host', 'netns', this.neighbour);
    neighbour('link', 'set', 'host', 'master', 'br0', 'up');
    ip('address', 'add', `${this.host}/24`, 'dev', this.#link);
    ip('link', 'set', this.#link, 'up');
  }

  down(): void {
    for (const name of [...this.nodes, this.neighbour]) ip('netns', 'del', name);
  }

  addressesOf(node: string): string {
    return ip('-n', node, '-o', 'address', 'show', 'dev', 'eth0');
  }

  /** What the neighbour knows of who has the address. */
  cacheOf(address: string): string {
    return ip('-n', this.neighbour, 'neigh', 'show', address);
  }

  /** What answers the neighbour at port 2525 of the address; null: nothing within half a second. */
  async answerAt(address: string): Promise<string | null> {
    const script = `require('node:net').connect({ host: '${address}', port: 2525 }).on('data', (d) => { console.log(String(d)); process.exit(0); }).on('error', () => process.exit(1)); setTimeout(() => process.exit(1), 500)`;
    const child = spawn('nsenter', [`--net=/run/netns/${this.neighbour}`, process.execPath, '-e', script]);
    let text = '';
    child.stdout.on('data', (data) => {
      text += data;
    });
    await once(child, 'close');
    return text.trim() || null;
  }
}
