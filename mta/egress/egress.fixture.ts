// Egress over real TLS, a real nats-server and real sockets on loopback: a pool of two addresses, its pods, callers and hosts.
import { once } from 'node:events';
import { request as httpsRequest } from 'node:https';
import { createServer, type Server, type Socket } from 'node:net';
import { type KV, Kvm } from '@nats-io/kv';
import { connectTo } from '../../e2e/rig/bus.ts';
import { type Nats, startNats, until } from '../../e2e/rig/servers.ts';
import { type Authority, createAuthority } from '../../operator/authority/authority.ts';
import { Readiness } from '../../process/health.ts';
import type { Identity } from '../../process/identity/name.ts';
import { queuePolicySpec } from '../../resources/kinds.ts';
import type { Bus } from '../bus/client.ts';
import { COMPLAINTS_BUCKET, FLEET_BUCKET, LEASE_BUCKET, LIMITS_BUCKET, leaseKey } from '../bus/names.ts';
import type { AddressLease } from '../bus/snapshot.ts';
import { monotonicClock } from './clock.ts';
import { type Role, startRole } from './role.ts';

export const [FIRST, SECOND] = ['127.0.0.21', '127.0.0.22'];
const TIMES = { leaseMs: 1500, renewMs: 200, marginMs: 200, pollMs: 50, standbyMs: 300 };
// Its own uid: the locks of a node are named by it, and another checkout may run this test at the same time.
const base = { version: 1, namespace: 'mail', uid: `u${process.pid}`, generation: 1 } as const;
/** A caller: a delivery pod of the pool unless `more` says otherwise. */
export const pod = (uid: string, more: Partial<Identity> = {}): Identity => ({
  ...{ namespace: 'mail', role: 'delivery', pool: 'main', pod: `main-delivery-${uid}`, uid },
  ...more,
});

export interface Answer {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly socket: Socket;
}

/** A pod of egress in this process, and what a test may tell it of NATS. */
export type Pod = Role & { readonly readiness: Readiness; readonly tell: { nats: string | null } };

const address = (one: string, n: number) => ({
  address: one,
  ehlo: `out${n}.example.com`,
  movable: true,
  weight: 100,
});
const IP_POOL = JSON.stringify({
  ...base,
  name: 'ips',
  addresses: [address(FIRST, 1), address(SECOND, 2)],
});
const AWAY = { ...base, name: 'away', addresses: [address('198.51.100.77', 1)] };
const POLICY = {
  shaping: {
    default: { connections: 2, messagesPerConnection: 7 },
    providers: [{ name: 'hourly', mxSuffixes: ['hourly.test'], limits: { perHour: 2 } }],
  },
};
const pool = () => ({
  ...{ ...base, name: 'main', shards: 8, classes: [], ipPool: 'ips', intakeClosed: false },
  policy: queuePolicySpec.parse(POLICY),
});

/** To be called once in a test file: all of it starts before its tests, and is as it was at first after each. */
export function useEgress(): EgressFixture {
  const fixture = new EgressFixture();
  beforeAll(() => fixture.begin());
  afterEach(() => fixture.reset());
  afterAll(() => fixture.end());
  return fixture;
}

class EgressFixture {
  // Set by begin().
  #nats!: Nats;
  #bus!: Bus;
  authority!: Authority;
  readonly #roles: Role[] = [];
  readonly #sinks: Server[] = [];

  async begin(): Promise<void> {
    [this.#nats, this.authority] = await Promise.all([startNats(), createAuthority()]);
    this.#bus = await connectTo(this.#nats, 'egress');
    await until('the durability proof', () => this.#bus.obstacle() === null);
    const kvm = new Kvm(this.#bus.js);
    for (const bucket of [LEASE_BUCKET, LIMITS_BUCKET, COMPLAINTS_BUCKET]) await kvm.create(bucket);
    const fleet = await kvm.create(FLEET_BUCKET);
    await fleet.put('ippool.mail_ips', IP_POOL);
    await fleet.put('ippool.mail_away', JSON.stringify(AWAY));
    await fleet.put('pool.mail_main', JSON.stringify(pool()));
  }

  async reset(): Promise<void> {
    // The snapshot as it was at first, whatever a test that failed has left.
    const fleet = await this.bucket(FLEET_BUCKET);
    if ((await fleet.get('ippool.mail_ips'))?.string() !== IP_POOL)
      await fleet.put('ippool.mail_ips', IP_POOL);
    await Promise.all(this.#roles.splice(0).map((role) => role.close(0)));
    // One that is closed without patience leaves word in its leases of what was still open, and who comes next would count it.
    const leases = await this.bucket(LEASE_BUCKET);
    for (const address of [FIRST, SECOND]) await leases.purge(leaseKey(address));
    for (const sink of this.#sinks.splice(0)) sink.close();
  }

  async end(): Promise<void> {
    await this.#bus.close();
    await this.#nats.stop();
  }

  readonly bucket = (name: string): Promise<KV> => this.#bus.kv(name);

  readonly start = async (name: string, ipPool = 'mail/ips'): Promise<Pod> => {
    const tell = { nats: null as string | null };
    const readiness = new Readiness();
    const tls = await this.authority.issueFor({
      ...{ namespace: 'egress', role: 'egress', pool: 'ips', pod: name, uid: `uid-${name}` },
    });
    const role = await startRole({
      settings: {
        POSTFLEET_IP_POOL: ipPool,
        POSTFLEET_EGRESS_HOST: '127.0.0.1',
        POSTFLEET_EGRESS_PORT: 0,
        POSTFLEET_ALLOWED_DESTINATIONS: ['127.0.0.0/24'],
        POSTFLEET_POD_NAME: name,
        POSTFLEET_POD_UID: `uid-${name}`,
        POSTFLEET_NODE_NAME: 'node-1',
      },
      tls: () => tls,
      bus: { kv: this.bucket, obstacle: () => tell.nats },
      resolve: async (host) =>
        host === 'nothing.test' ? [] : host === 'inside.test' ? ['10.0.0.1'] : ['127.0.0.1'],
      readiness,
      clock: monotonicClock,
      times: TIMES,
      connectTimeoutMs: 2000,
      idleMs: 10_000,
      halfClosedMs: 300,
    });
    this.#roles.push(role);
    return Object.assign(role, { readiness, tell });
  };

  /** A pod that holds both addresses. */
  readonly holding = async (name: string): Promise<Pod> => {
    const role = await this.start(name);
    await until('both addresses', () => {
      if (role.keepers.obstacle) throw new Error(role.keepers.obstacle);
      return role.keepers.grants(FIRST) && role.keepers.grants(SECOND);
    });
    return role;
  };

  /** A server that gives each connection to `handle`; returns its port and what it saw. */
  readonly sink = async (handle: (socket: Socket) => void = (socket) => socket.resume()) => {
    const sockets: Socket[] = [];
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      sockets.push(socket);
      socket.on('error', () => {});
      handle(socket);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    this.#sinks.push(server);
    return { port: (server.address() as { port: number }).port, sockets };
  };

  /** Asks a pod as `who`, from the first address unless `headers` say otherwise. */
  readonly connect = async (
    role: Role,
    target: string,
    who: Identity,
    headers: Record<string, string> = {},
  ): Promise<Answer> => {
    const request = httpsRequest({
      ...(await this.authority.issueFor(who)),
      host: '127.0.0.1',
      port: role.port,
      servername: 'egress.postfleet.internal',
      method: 'CONNECT',
      path: target,
      agent: false,
      headers: {
        'postfleet-source': FIRST,
        'postfleet-domain': 'example.org',
        'postfleet-epochs': '',
        ...headers,
      },
    });
    return new Promise((resolve, reject) => {
      request.once('error', reject);
      request.once('connect', (response, socket) => {
        (socket as Socket).on('error', () => {});
        resolve({ status: response.statusCode ?? 0, headers: response.headers, socket: socket as Socket });
      });
      request.end();
    });
  };

  readonly fence = async (
    role: Role,
    who: Identity,
    body: unknown,
  ): Promise<{ status: number; body: unknown }> => {
    const request = httpsRequest({
      ...(await this.authority.issueFor(who)),
      ...{ host: '127.0.0.1', port: role.port, servername: 'egress.postfleet.internal', agent: false },
      ...{ method: 'POST', path: '/v1/fence' },
    });
    request.end(JSON.stringify(body));
    const [response] = await once(request, 'response');
    const chunks = await response.toArray();
    return { status: response.statusCode, body: JSON.parse(Buffer.concat(chunks).toString()) };
  };

  /** The lease as NATS has it. */
  readonly lease = async (address: string): Promise<AddressLease> => {
    const entry = await (await this.bucket(LEASE_BUCKET)).get(leaseKey(address));
    return (entry as NonNullable<typeof entry>).json();
  };
}
