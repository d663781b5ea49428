// What delivery's integration tests run against: nats-server, egress on loopback, SMTP servers that behave as told.
import { createHash, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { PubAck } from '@nats-io/jetstream';
import { Registry } from 'prom-client';
import { connectTo, shortenAckWait } from '../../e2e/rig/bus.ts';
import { freePorts, type Nats, startNats, until } from '../../e2e/rig/servers.ts';
import { type Authority, createAuthority } from '../../operator/authority/authority.ts';
import { ensureFleetAssets, ensurePoolAssets } from '../../operator/nats/assets.ts';
import { Readiness } from '../../process/health.ts';
import { clientTls, type Expected, serverTls } from '../../process/identity/tls.ts';
import { log } from '../../process/log.ts';
import { queuePolicySpec } from '../../resources/kinds.ts';
import type { Bus } from '../bus/client.ts';
import {
  assignmentKey,
  BOUNCE_STREAM,
  bounceSubject,
  FLEET_BUCKET,
  LEASE_BUCKET,
  leaseKey,
  mailStream,
  mailSubject,
  TRANSFER_CLASS,
} from '../bus/names.ts';
import type { AddressLease, Assignment } from '../bus/snapshot.ts';
import type { MxResult } from '../dns/mx.ts';
import { monotonicClock } from '../egress/clock.ts';
import { type Role as EgressRole, startRole as startEgress } from '../egress/role.ts';
import { type BounceRequest, decodeBounce } from '../message/bounce.ts';
import {
  encodeParcel,
  type HopId,
  type Parcel,
  type ParcelId,
  type Recipient,
  shardOf,
} from '../message/parcel.ts';
import type { Spool } from '../spool/port.ts';
import type { SuppressionLookup } from './ports.ts';
import { type Role, startRole } from './role.ts';
import { type Behaviour, type Sink, startSink } from './sink.fixture.ts';
import { CLASSES, ipPoolValue, KEY, POLICY, POOL, poolValue, SHARDS, SOURCES } from './values.fixture.ts';

export type { Behaviour, Sink } from './sink.fixture.ts';
export { KEY } from './values.fixture.ts';

/** Shorter than what a pod refreshes by (10 s): what waits in hand for long comes again, and must be recognised. */
const ACK_WAIT_MS = 5000;

export interface Pod extends Role {
  readonly name: string;
  readonly uid: string;
  readonly readiness: Readiness;
  readonly registry: Registry;
  metric(name: string, labels?: Record<string, string>): Promise<number>;
  /** Ends it as a kill would: nothing more reaches NATS, what is only in memory is lost, the volume stays. */
  crash(): Promise<void>;
}
export interface PodOptions {
  readonly uid?: string;
  readonly assign?: boolean;
  readonly bus?: Promise<Bus>;
  readonly openSpool?: (folder: string) => Promise<Spool>;
  readonly suppressed?: SuppressionLookup;
}

export class Fixture {
  readonly nats: Nats;
  readonly bus: Bus;
  readonly authority: Authority;
  readonly egress: EgressRole;
  readonly smtpPort: number;
  readonly folder: string;
  readonly suppression: { down: boolean; addresses: Set<string> } = { down: false, addresses: new Set() };
  readonly mx = new Map<string, MxResult>();
  #assignment: Assignment = { version: 1, pool: POOL, revision: 0, members: [], shards: [] };
  #pods: Pod[] = [];
  #sinks: Sink[] = [];
  #hosts = 40;
  #cleanups: (() => Promise<void> | void)[] = [];

  constructor(parts: {
    nats: Nats;
    bus: Bus;
    authority: Authority;
    egress: EgressRole;
    smtpPort: number;
    folder: string;
  }) {
    this.nats = parts.nats;
    this.bus = parts.bus;
    this.authority = parts.authority;
    this.egress = parts.egress;
    this.smtpPort = parts.smtpPort;
    this.folder = parts.folder;
  }

  /** Starts a pod on its volume; unless told otherwise it gets all shards. */
  async pod(name: string, options: PodOptions = {}): Promise<Pod> {
    const uid = options.uid ?? `uid-${name}-${randomUUID().slice(0, 8)}`;
    const certificate = await this.authority.issueFor({
      namespace: 'mail',
      role: 'delivery',
      pool: 'main',
      pod: name,
      uid,
    });
    const identity = {
      serverTls: () => serverTls(certificate),
      clientTls: (expected: Expected) => clientTls(certificate, expected),
      keepRenewed: () => {},
    };
    const readiness = new Readiness();
    const registry = new Registry();
    const bus = options.bus ?? this.connect(`delivery-${name}`);
    const role = await startRole({
      ...{ pod: name, uid, pool: POOL, spoolDir: join(this.folder, name), adminPort: 0, readiness, registry },
      identity,
      bus,
      lookupMx: async (domain) => this.mx.get(domain) ?? { kind: 'no-domain' },
      suppressed:
        options.suppressed ??
        (async (pairs) => {
          if (this.suppression.down) throw new Error('PostgreSQL is down');
          return pairs.map(({ address }) => this.suppression.addresses.has(address));
        }),
      log,
      smtpPort: this.smtpPort,
      fenceTimes: { leaseMs: 3000, connectionMs: 60_000, pollMs: 100 },
      ...(options.openSpool && { openSpool: options.openSpool }),
    });
    const metric = async (metricName: string, labels: Record<string, string> = {}) => {
      const found = (await registry.getMetricsAsJSON()).find((one) => one.name === metricName);
      const values = (found?.values ?? []) as { labels: Record<string, string>; value: number }[];
      return values
        .filter((value) => Object.entries(labels).every(([key, wanted]) => value.labels[key] === wanted))
        .reduce((sum, { value }) => sum + value, 0);
    };
    const crash = async () => {
      await (await bus).nc.close();
      await pod.stop(0);
    };
    const pod: Pod = Object.assign(role, { name, uid, readiness, registry, metric, crash });
    const stop = role.stop.bind(role);
    pod.stop = async (graceMs) => {
      this.#pods = this.#pods.filter((one) => one !== pod);
      await stop(graceMs);
      if (!options.bus) await (await bus).close();
    };
    this.#pods.push(pod);
    if (options.assign !== false) {
      await this.assign(() => this.allTo(pod));
      await until(
        'the assignment to be taken in',
        () => pod.statement().assignmentRevision === this.#assignment.revision,
      );
    }
    return pod;
  }

  connect(name: string): Promise<Bus> {
    return connectTo(this.nats, name);
  }

  get assignment(): Assignment {
    return this.#assignment;
  }

  async assign(change: (now: Assignment) => Partial<Assignment>): Promise<void> {
    const next = { ...this.#assignment, ...change(this.#assignment) };
    this.#assignment = { ...next, revision: this.#assignment.revision + 1 };
    await (await this.bus.kv(FLEET_BUCKET)).put(assignmentKey(KEY), JSON.stringify(this.#assignment));
  }

  /** All shards to one pod, which is the only member; a pod before it is taken to have stated that it holds nothing. */
  allTo(pod: { name: string; uid: string }, stated = true): Pick<Assignment, 'members' | 'shards'> {
    const before = new Map(this.#assignment.shards.map((shard) => [shard.shard, shard]));
    return {
      members: [{ pod: pod.name, uid: pod.uid, cordoned: false, handOver: false }],
      shards: Array.from({ length: SHARDS }, (_, shard) => {
        const former = before.get(shard)?.owner;
        return {
          shard,
          epoch: (before.get(shard)?.epoch ?? 0) + 1,
          owner: { pod: pod.name, uid: pod.uid, node: 'local' },
          releasing: false,
          former: former && former.uid !== pod.uid ? { uid: former.uid, stated } : null,
        };
      }),
    };
  }

  /** A loopback address that nothing else uses. */
  host(): string {
    return `127.0.0.${this.#hosts++}`;
  }

  /** An SMTP server that is the MX of `domain`. */
  async sink(domain: string, behaviour: Behaviour = {}, at?: string): Promise<Sink> {
    const host = at ?? this.host();
    const sink = await startSink(host, this.smtpPort, behaviour);
    this.#sinks.push(sink);
    this.mx.set(domain, { kind: 'hosts', hosts: [{ preference: 10, host }] });
    return sink;
  }

  /** Publishes a parcel as ingress does; resolves when it is stored. */
  async submit(to: readonly string[], given: Partial<Parcel> = {}): Promise<Parcel> {
    const id = createHash('sha256').update(randomUUID()).digest('hex').slice(0, 32);
    const recipients: Recipient[] = to.map((address) => ({
      ...{ address, attempts: 0, dueAt: null, lastReply: null, stickySource: null },
    }));
    const parcel: Parcel = {
      ...{ version: 1, id: id as ParcelId, hopId: id as HopId, hop: 0, account: 'acme', pool: POOL },
      ...{ sendingDomain: 'acme.test', priorityClass: 'transactional', acceptedAt: Date.now() },
      ...{ from: 'sender@acme.test', smtpUtf8: false, isNotification: false, recipients },
      message: Buffer.from(`Subject: ${id}\r\n\r\nHello\r\n.dot\r\n`),
      ...given,
    };
    await this.publish(parcel);
    return parcel;
  }

  async publish(parcel: Parcel, messageId: string = parcel.hopId): Promise<PubAck> {
    const shard = shardOf(parcel.id, SHARDS);
    const options = { msgID: messageId, expect: { streamName: mailStream(KEY, shard) } };
    return this.bus.js.publish(mailSubject(KEY, shard, parcel.priorityClass), encodeParcel(parcel), options);
  }

  /** An id whose parcel belongs to the shard. */
  idOf(shard: number): Pick<Parcel, 'id' | 'hopId'> {
    const id = createHash('sha256').update(randomUUID()).digest('hex').slice(0, 31);
    // The first eight digits choose the shard, and there are two of them.
    const chosen = `${id.slice(0, 7)}${shard}${id.slice(7)}`;
    return { id: chosen as ParcelId, hopId: chosen as HopId };
  }

  /** Delivers what is stored once to nobody, as if an owner had had it in memory: from here on it is redelivered. */
  async touch(): Promise<void> {
    for (let shard = 0; shard < SHARDS; shard++)
      for (const { name } of CLASSES) {
        const consumer = await this.bus.js.consumers.get(mailStream(KEY, shard), name);
        for await (const message of await consumer.fetch({ max_messages: 100, expires: 1000 })) message.nak();
      }
    await this.bus.nc.flush();
  }

  /** Sets what the pool's policy says beyond the quick retries; `pod` has taken it in when this resolves. */
  async policy(pod: Pod, over: object): Promise<void> {
    const policy = queuePolicySpec.parse({ retry: { intervals: ['1s'], jitter: 0 }, ...over });
    await this.#putPool(policy);
    await until('the policy', () => isDeepStrictEqual(pod.engine.policy, policy));
  }

  async #putPool(policy: object): Promise<void> {
    await (await this.bus.kv(FLEET_BUCKET)).put(`pool.${KEY}`, JSON.stringify({ ...poolValue, policy }));
  }

  /**
   * A holder of an address that answers nothing: its lease stands, and is renewed for as long as `renews` says so. Nothing is sent from the
   * address, and the real egress does not have it. Ends with the test.
   */
  async phantomHolder(movable: boolean): Promise<{ renews: boolean; readonly renewals: number }> {
    const address = '192.0.2.77';
    const [port = 0] = await freePorts(1);
    const holder = { pod: 'egress-gone', uid: 'uid-egress-gone', node: 'lost', host: '127.0.0.1', port };
    const state = { renews: true, renewals: 0 };
    const leases = await this.bus.kv(LEASE_BUCKET);
    const write = () => {
      const { renewals } = state;
      const lease: AddressLease = { version: 1, address, ipPool: 'mail/ips', holder, epoch: 1, renewals };
      return leases.put(leaseKey(address), JSON.stringify(lease));
    };
    await this.#putIpPool([{ address, ehlo: 'gone.example.com', movable, weight: 0 }]);
    await write();
    const timer = setInterval(() => {
      if (!state.renews) return;
      state.renewals++;
      void write().catch(() => {});
    }, 300);
    this.#cleanups.push(async () => {
      clearInterval(timer);
      await leases.delete(leaseKey(address));
      await this.#putIpPool([]);
    });
    return state;
  }

  async #putIpPool(more: readonly object[]): Promise<void> {
    const value = { ...ipPoolValue, addresses: [...ipPoolValue.addresses, ...more] };
    await (await this.bus.kv(FLEET_BUCKET)).put('ippool.mail_ips', JSON.stringify(value));
  }

  /** Registers what the end of the test takes back. */
  afterwards(cleanup: () => Promise<void> | void): void {
    this.#cleanups.push(cleanup);
  }

  /** Messages in the shards' streams. */
  async stored(): Promise<number> {
    const manager = await this.bus.manager();
    const infos = await Promise.all(
      Array.from({ length: SHARDS }, (_, shard) => manager.streams.info(mailStream(KEY, shard))),
    );
    return infos.reduce((sum, { state }) => sum + state.messages, 0);
  }

  /** The last request for a bounce. */
  async lastBounce(): Promise<BounceRequest> {
    const manager = await this.bus.manager();
    const last = await manager.streams.getMessage(BOUNCE_STREAM, { last_by_subj: bounceSubject(KEY) });
    return decodeBounce(last?.data ?? new Uint8Array());
  }

  async bounces(): Promise<number> {
    return (await (await this.bus.manager()).streams.info(BOUNCE_STREAM)).state.messages;
  }

  async reset(): Promise<void> {
    await Promise.all(this.#pods.map((pod) => pod.stop(0)));
    await Promise.all(this.#sinks.splice(0).map((sink) => sink.stop()));
    for (const cleanup of this.#cleanups.splice(0)) await cleanup();
    await this.#putPool(POLICY);
    this.suppression.down = false;
    this.suppression.addresses.clear();
    this.mx.clear();
    while ((await this.stored()) > 0) await this.#takeAll();
  }

  /** Takes what a test has left in the streams; what a dead pod had pulled comes back after ack_wait. */
  async #takeAll(): Promise<void> {
    for (let shard = 0; shard < SHARDS; shard++)
      for (const name of [...CLASSES.map((one) => one.name), TRANSFER_CLASS]) {
        const consumer = await this.bus.js.consumers.get(mailStream(KEY, shard), name);
        for await (const message of await consumer.fetch({ max_messages: 100, expires: 1000 }))
          await message.ackAck();
      }
  }

  async stop(): Promise<void> {
    await this.egress.close(0);
    await this.bus.close();
    await this.nats.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export async function startFixture(): Promise<Fixture> {
  const [nats, authority, [smtpPort = 0]] = await Promise.all([startNats(), createAuthority(), freePorts(1)]);
  const bus = await connectTo(nats, 'test');
  await until('NATS to be proven', () => bus.obstacle() === null);
  const profile = { replicas: 1, shardMaxBytes: 1024 ** 3 };
  await ensureFleetAssets(bus, profile);
  await ensurePoolAssets(await bus.manager(), KEY, SHARDS, CLASSES, profile);
  const shards = Array.from({ length: SHARDS }, (_, shard) => mailStream(KEY, shard));
  await shortenAckWait(bus, shards, ACK_WAIT_MS);
  const kv = await bus.kv(FLEET_BUCKET);
  await kv.put('ippool.mail_ips', JSON.stringify(ipPoolValue));
  await kv.put(`pool.${KEY}`, JSON.stringify({ ...poolValue, policy: POLICY }));
  const name = {
    namespace: 'egress',
    role: 'egress',
    pool: 'ips',
    pod: 'egress-0',
    uid: 'uid-egress',
  } as const;
  const tls = await authority.issueFor(name);
  const egress = await startEgress({
    settings: {
      ...{ POSTFLEET_IP_POOL: 'mail/ips', POSTFLEET_EGRESS_HOST: '127.0.0.1', POSTFLEET_EGRESS_PORT: 0 },
      ...{ POSTFLEET_ALLOWED_DESTINATIONS: ['127.0.0.0/24'], POSTFLEET_POD_NAME: 'egress-0' },
      ...{ POSTFLEET_POD_UID: 'uid-egress', POSTFLEET_NODE_NAME: 'local' },
    },
    tls: () => tls,
    bus,
    resolve: async (host) => [host],
    readiness: new Readiness(),
    clock: monotonicClock,
    times: { leaseMs: 3000, renewMs: 400, marginMs: 400, pollMs: 50, standbyMs: 300 },
    connectTimeoutMs: 3000,
    idleMs: 60_000,
    halfClosedMs: 5000,
  });
  const held = () => SOURCES.every((address) => egress.keepers.grants(address));
  await until('the addresses to be held', held).catch(async (error: unknown) => {
    await egress.close(0);
    await bus.close();
    await nats.stop();
    throw error;
  });
  const folder = mkdtempSync(join(tmpdir(), 'postfleet-delivery-'));
  return new Fixture({ nats, bus, authority, egress, smtpPort, folder });
}
