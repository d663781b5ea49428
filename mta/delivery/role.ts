// The role put together: engine, shards, admin server, and the fleet it follows. main.ts gives it what has a life of its own.
import { mkdirSync } from 'node:fs';
import type { RequestOptions, Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Registry } from 'prom-client';
import type { Readiness } from '../../process/health.ts';
import type { PodIdentity } from '../../process/identity/ensure.ts';
import type { Log } from '../../process/log.ts';
import { SteadyClock } from '../../process/steady.ts';
import type { Bus } from '../bus/client.ts';
import { LONGEST_CONNECTION_MS } from '../bus/connect.ts';
import { memoryStream, memorySubject, poolKey } from '../bus/names.ts';
import { LEASE_MS, type Statement } from '../bus/snapshot.ts';
import type { MxResult } from '../dns/mx.ts';
import { openSpool } from '../spool/lmdb.ts';
import type { Spool } from '../spool/port.ts';
import { serveAdmin } from './admin.ts';
import { Engine } from './engine.ts';
import { fenceEverywhere } from './fence.ts';
import type { FenceTimes } from './fence_decide.ts';
import { Fleet } from './fleet.ts';
import type { Fence } from './gate.ts';
import { Incarnations } from './incarnation.ts';
import { keepClock, keptMarks } from './kept-clock.ts';
import { dropOldMarks } from './marks.ts';
import { ShardMemory } from './memory/memory.ts';
import { readMemory } from './memory/reader.ts';
import type { Clock, SuppressionLookup } from './ports.ts';
import { publisher, trusted } from './publish.ts';
import { rescue } from './rescue.ts';
import { EgressSender, type SenderParts } from './sender.ts';
import { Shards } from './shards.ts';
import { Tunnels } from './tunnel.ts';
import { readAssignment, readLeases, watchFleet } from './watch.ts';

export interface RoleParts {
  readonly pod: string;
  readonly uid: string;
  /** SendingPool as namespace/name. */
  readonly pool: string;
  readonly spoolDir: string;
  readonly adminPort: number;
  readonly identity: Pick<PodIdentity, 'serverTls' | 'clientTls' | 'keepRenewed'>;
  /** Resolves with the bus at its first connection, which may be never: the old spool is worked without it. */
  readonly bus: Promise<Bus>;
  readonly lookupMx: (domain: string) => Promise<MxResult>;
  readonly suppressed: SuppressionLookup;
  readonly readiness: Readiness;
  readonly log: Log;
  readonly registry?: Registry;
  /** The remote port, for tests; 25. */
  readonly smtpPort?: number;
  /** For tests. */
  readonly fenceTimes?: FenceTimes;
  readonly openSpool?: (folder: string) => Promise<Spool>;
}

const monotonic = (): number => performance.now();

const FENCE_TIMES: FenceTimes = { leaseMs: LEASE_MS, connectionMs: LONGEST_CONNECTION_MS, pollMs: 1000 };
/** An assignment that egress says is old is read anew at most this often. */
const REFRESH_MS = 1000;
const FLUSH_MS = 1000;

export interface Role {
  readonly engine: Engine;
  readonly adminPort: number;
  statement(): Statement;
  /** Stops as on SIGTERM: sessions past the final dot have `graceMs` to end. */
  stop(graceMs: number): Promise<void>;
}

/** Starts delivery; resolves when the old spool is being worked. */
export async function startRole(parts: RoleParts): Promise<Role> {
  const { log, readiness, pod, uid, pool, lookupMx, suppressed } = parts;
  mkdirSync(parts.spoolDir, { recursive: true });
  const spool = await (parts.openSpool ?? openSpool)(join(parts.spoolDir, 'spool'));
  await dropOldMarks(spool, keptMarks(parts.spoolDir), log);
  const clock = new SteadyClock(() => Date.now(), monotonic);
  const saveClock = keepClock(parts.spoolDir, clock, log);
  const fleet = new Fleet(join(parts.spoolDir, 'fleet'), log);
  const state: { bus: Bus | null; assigned: boolean } = { bus: null, assigned: false };
  const egressTls = () => parts.identity.clientTls({ role: 'egress' });
  const sender = sending(parts, clock, egressTls, fleet, {
    policy: () => engine.policy,
    epochs: () => engine.duties.epochs,
    stale: (stale) => {
      readiness.set('epoch', stale ? 'egress knows a newer owner of a shard, or has fenced this pod' : null);
      if (stale) refresh();
    },
  });
  const memory = remembering(parts, () => state.bus);
  const engine: Engine = new Engine({
    ...{ pod, uid, pool, spool, memory, fleet, sender, log, lookupMx, suppressed },
    publish: publisher(() => state.bus),
    clock,
    random: Math.random,
    obstacle: (name, why) => readiness.set(name, why),
    ...(parts.registry && { registry: parts.registry }),
  });
  const incarnations = new Incarnations(
    (stream) => createdAt(state.bus, stream),
    () => rescue(engine.hand, engine.spoolHeld, log),
    log,
  );
  const shards = working(
    parts,
    engine,
    memory,
    incarnations,
    () => state.bus,
    fencing(parts, egressTls, () => state.bus, fleet),
  );
  const obey = () => {
    // In one go, so that a statement never names a revision that only half of the pod acts on.
    engine.assignmentChanged(state.assigned);
    // What the volume remembers may be long past: nothing is pulled before NATS has said who works what.
    if (state.assigned) shards.follow(engine.duties, fleet.pool?.classes.map(({ name }) => name) ?? []);
  };
  const assigned = (isNew: boolean) => {
    if (state.assigned && !isNew) return;
    state.assigned = true;
    obey();
  };
  const reread = async () => {
    const found = state.bus && (await readAssignment(state.bus, poolKey(pool)));
    if (found) assigned(fleet.setAssignment(found));
  };
  const refresh = once(REFRESH_MS, reread, log);
  engine.start();
  // Before NATS has spoken this pod acts on no assignment, whatever its volume remembers: revision 0 proves nothing.
  const statement = () => {
    const said = engine.statement(shards.held());
    return state.assigned ? said : { ...said, assignmentRevision: 0 };
  };
  const admin = await serveAdmin(parts.adminPort, parts.identity.serverTls(), statement);
  parts.identity.keepRenewed(admin);
  const end = new AbortController();
  whenConnected(parts, (bus) => {
    state.bus = bus;
    void followConnection(bus, incarnations);
    const pooled = () => {
      engine.poolChanged();
      obey();
    };
    const changes = {
      pool: pooled,
      ipPool: () => sender.ipPoolChanged(),
      assignment: assigned,
      leases: () => sender.leasesChanged(),
    };
    watchFleet(bus, poolKey(pool), fleet, changes, log, end.signal);
  });
  return {
    engine,
    adminPort: (admin.address() as AddressInfo).port,
    statement,
    async stop(graceMs) {
      readiness.set('shutdown', 'shutting down');
      end.abort();
      shards.stop();
      await engine.stop(graceMs);
      await memory.stop(FLUSH_MS);
      fleet.saveNow();
      saveClock();
      log.info({ left: spool.stats().entries }, 'delivery ends; the spool stays');
      await flushed(state.bus);
      await spool.close();
      await closed(admin);
    },
  };
}

function sending(
  { log, smtpPort }: RoleParts,
  clock: Clock,
  tls: () => RequestOptions,
  fleet: Fleet,
  engine: Pick<SenderParts, 'policy' | 'epochs' | 'stale'>,
): EgressSender {
  return new EgressSender({
    ...engine,
    tunnels: new Tunnels(tls, smtpPort),
    clock,
    log,
    random: Math.random,
    ipPool: () => fleet.ipPool,
    leases: () => fleet.leases,
  });
}

function working(
  { pool, log }: RoleParts,
  engine: Engine,
  memory: ShardMemory,
  incarnations: Incarnations,
  bus: () => Bus | null,
  fence: Fence,
): Shards {
  const { budget, hand, take, letGo, hasDoubts, recorded, spoolHeld: spool } = engine;
  const parts = { bus, poolKey: poolKey(pool), memory, log, fence, incarnations };
  return new Shards({ ...parts, budget, hand, take, spool, letGo, hasDoubts, recorded });
}

async function createdAt(bus: Bus | null, stream: string): Promise<string> {
  if (!bus) throw new Error('NATS: not connected');
  const { created } = await (await bus.manager()).streams.info(stream);
  return created;
}

async function followConnection({ nc }: Bus, incarnations: Incarnations): Promise<void> {
  for await (const { type } of nc.status()) {
    if (type === 'disconnect') incarnations.disconnected();
    else if (type === 'reconnect') incarnations.reconnected();
  }
}

/** What this pod acknowledges is written for the next owner of a shard; what those before it acknowledged is read. */
function remembering({ pool, log, readiness }: RoleParts, bus: () => Bus | null): ShardMemory {
  const key = poolKey(pool);
  const publish = publisher(bus);
  return new ShardMemory({
    write: (shard, chunk) => publish(memorySubject(key, shard), chunk, null, memoryStream(key)),
    read: async (shard) => readMemory(trusted(bus()), key, shard),
    monotonic,
    log,
    obstacle: (why) => readiness.set('memory', why),
  });
}

/** Fences a former owner at the egress pods of the pool's addresses. */
function fencing(
  { pool, fenceTimes: times = FENCE_TIMES, log }: RoleParts,
  tls: () => RequestOptions,
  bus: () => Bus | null,
  fleet: Fleet,
): Fence {
  const parts = { tls, times, monotonic, log, readLeases: () => readLeases(bus(), fleet) };
  return (shard, epoch, uid, signal) =>
    fenceEverywhere(parts, () => ({ pool, shard, epoch: epoch(), uid }), signal);
}

function whenConnected({ bus, log, readiness }: RoleParts, connected: (bus: Bus) => void): void {
  bus.then(connected, (error: unknown) => {
    log.error({ err: error }, 'NATS cannot be connected; the spool is worked');
    readiness.set('nats', `cannot be connected: ${(error as Error).message}`);
  });
}

/** Runs `work` when it is asked for, one at a time and not again within `ms`. */
function once(ms: number, work: () => Promise<void>, log: Log): () => void {
  let running = false;
  return () => {
    if (running) return;
    running = true;
    void work()
      .catch((error: unknown) => log.warn({ err: error }, 'the assignment cannot be read'))
      .then(() => pause(ms))
      .then(() => {
        running = false;
      });
  };
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms).unref());

/** What was given back is on its way before the process ends, or it comes again only after ack_wait. */
async function flushed(bus: Bus | null): Promise<void> {
  await Promise.race([bus?.nc.flush().catch(() => {}), pause(FLUSH_MS)]);
}

function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}
