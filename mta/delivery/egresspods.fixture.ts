// Egress pods of one IPPool and callers of them, as processes on loopback, beside a real nats-server.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectTo } from '../../e2e/rig/bus.ts';
import { writeIdentity } from '../../e2e/rig/rig-identities.ts';
import { Child, type Nats, startNats } from '../../e2e/rig/servers.ts';
import { type Authority, createAuthority } from '../../operator/authority/authority.ts';
import { ensureFleetAssets } from '../../operator/nats/assets.ts';
import { queuePolicySpec } from '../../resources/kinds.ts';
import type { Bus } from '../bus/client.ts';
import { FLEET_BUCKET, LEASE_BUCKET } from '../bus/names.ts';
import type { AddressLease } from '../bus/snapshot.ts';

export interface EgressPod {
  readonly pod: string;
  readonly node: string;
  readonly port: number;
  readonly metrics: number;
}

export class EgressPods {
  readonly #root = mkdtempSync(join(tmpdir(), 'postfleet-egress-pods-'));
  readonly #children: Child[] = [];
  readonly #nats: Nats;
  readonly #authority: Authority;
  readonly #bus: Bus;

  private constructor(nats: Nats, authority: Authority, bus: Bus) {
    this.#nats = nats;
    this.#authority = authority;
    this.#bus = bus;
  }

  static async start(): Promise<EgressPods> {
    const [nats, authority] = await Promise.all([startNats(), createAuthority()]);
    const bus = await connectTo(nats, 'operator');
    await ensureFleetAssets(bus, { replicas: 1, shardMaxBytes: 1 << 20 });
    return new EgressPods(nats, authority, bus);
  }

  async stop(): Promise<void> {
    for (const child of this.#children) child.process.kill('SIGCONT');
    await Promise.all(this.#children.map((child) => child.stop('SIGKILL')));
    await this.#bus.close();
    await this.#nats.stop();
    rmSync(this.#root, { recursive: true, force: true });
  }

  /** Puts the IPPool `ips`: its addresses, and what else it says. */
  async setIpPool(addresses: readonly { address: string; ehlo: string }[], more: object = {}): Promise<void> {
    const all = addresses.map((one) => ({ ...one, movable: true, weight: 100 }));
    await this.#put('ippool.mail_ips', { ...head('ips'), addresses: all, ...more });
  }

  /** Puts the pool `main`, which sends through it. @param shaping what its policy says of every provider */
  async setShaping(shaping: object): Promise<void> {
    const policy = queuePolicySpec.parse({ shaping: { default: shaping } });
    const more = { shards: 8, classes: [], ipPool: 'ips', policy, intakeClosed: false };
    await this.#put('pool.mail_main', { ...head('main'), ...more });
  }

  async #put(key: string, value: object): Promise<void> {
    await (await this.#bus.kv(FLEET_BUCKET)).put(key, JSON.stringify(value));
  }

  async startEgress({ pod, node, port, metrics }: EgressPod): Promise<Child> {
    const identity = { role: 'egress', pool: 'ips', pod, uid: `uid-${pod}` } as const;
    return this.#spawn(pod, ['../../cli/main.ts', 'egress'], {
      ...{ POSTFLEET_LOG_LEVEL: 'info', ...this.#nats.env, POSTFLEET_NODE_NAME: node },
      ...{ POSTFLEET_NAMESPACE: 'egress', POSTFLEET_POD_NAME: pod, POSTFLEET_POD_UID: `uid-${pod}` },
      POSTFLEET_IDENTITY_DIR: await writeIdentity(this.#authority, this.#root, 'egress', identity),
      ...{ POSTFLEET_METRICS_PORT: String(metrics), POSTFLEET_IP_POOL: 'mail/ips' },
      ...{ POSTFLEET_EGRESS_HOST: '127.0.0.1', POSTFLEET_EGRESS_PORT: String(port) },
      ...{ POSTFLEET_ALLOWED_DESTINATIONS: '127.0.0.0/24', POSTFLEET_DNS_SERVERS: '127.0.0.1:1' },
    });
  }

  /** caller.fixture.ts as a delivery pod. @param args the ports and the address it takes */
  async startCaller(uid: string, args: readonly string[]): Promise<Child> {
    const identity = { role: 'delivery', pool: 'main', pod: `main-delivery-${uid}`, uid } as const;
    const folder = await writeIdentity(this.#authority, this.#root, 'mail', identity);
    return this.#spawn(uid, ['caller.fixture.ts', folder, ...args], {});
  }

  #spawn(name: string, [program = '', ...args]: readonly string[], env: Record<string, string>): Child {
    const child = new Child(process.execPath, [join(import.meta.dirname, program), ...args], {
      name,
      env: { PATH: process.env.PATH, ...env },
    });
    this.#children.push(child);
    return child;
  }

  async leaseOf(key: string): Promise<AddressLease | undefined> {
    return (await (await this.#bus.kv(LEASE_BUCKET)).get(key))?.json<AddressLease>();
  }
}

// Its own uid: the locks of a node are named by it, and another checkout may run such a test at the same time.
const head = (name: string) => ({
  ...{ version: 1, namespace: 'mail', name, uid: `u${process.pid}`, generation: 1 },
});

/** What a pod shows at its metrics port. */
export const metricsOf = async ({ metrics }: Pick<EgressPod, 'metrics'>): Promise<string> =>
  (await fetch(`http://127.0.0.1:${metrics}/metrics`)).text();
