// The role put together: engine, shards, admin server, and the fleet it follows. main.ts gives it what has a life of its own.
import { mkdirSync } from 'node:fs';
import type { Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Registry } from 'prom-client';
import type { Readiness } from '../../process/health.ts';
import type { PodIdentity } from '../../process/identity/ensure.ts';
import type { Log } from '../../process/log.ts';
import type { Bus } from '../bus/client.ts';
import { poolKey } from '../bus/names.ts';
import type { Statement } from '../bus/snapshot.ts';
import type { MxResult } from '../dns/mx.ts';
import { openSpool } from '../spool/lmdb.ts';
import { serveAdmin } from './admin.ts';
import { Engine } from './engine.ts';
import { fenceEverywhere } from './fence.ts';
import { Fleet } from './fleet.ts';
import { type SuppressionLookup, systemClock } from './ports.ts';
import { publisher } from './publish.ts';
import { EgressSender } from './sender.ts';
import { Shards } from './shards.ts';
import { Tunnels } from './tunnel.ts';
import { watchFleet } from './watch.ts';

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
}

export interface Role {
  readonly engine: Engine;
  readonly adminPort: number;
  statement(): Statement;
  /** Stops as on SIGTERM: sessions past the final dot have `graceMs` to end. */
  stop(graceMs: number): Promise<void>;
}

/** Starts delivery; resolves when the old spool is being worked. */
export async function startRole(parts: RoleParts): Promise<Role> {
  const { log, readiness, uid, pool } = parts;
  mkdirSync(parts.spoolDir, { recursive: true });
  const spool = await openSpool(join(parts.spoolDir, 'spool'));
  const fleet = new Fleet(join(parts.spoolDir, 'fleet'), log);
  const state: { bus: Bus | null } = { bus: null };
  const egressTls = () => parts.identity.clientTls({ role: 'egress' });
  const sender = new EgressSender({
    tunnels: new Tunnels(egressTls, parts.smtpPort),
    clock: systemClock,
    log,
    random: Math.random,
    policy: () => engine.policy,
    addresses: () => fleet.ipPool?.addresses ?? [],
    leases: () => fleet.leases,
    epochs: () => engine.duties.epochs,
  });
  const engine: Engine = new Engine({
    ...{ pod: parts.pod, uid, pool, spool, fleet, sender, log },
    publish: publisher(() => state.bus),
    lookupMx: parts.lookupMx,
    suppressed: parts.suppressed,
    clock: systemClock,
    random: Math.random,
    obstacle: (name, why) => readiness.set(name, why),
    ...(parts.registry && { registry: parts.registry }),
  });
  const shards = new Shards({
    js: () => state.bus?.js ?? null,
    poolKey: poolKey(pool),
    budget: engine.budget,
    hand: engine.hand,
    log,
    take: engine.take,
    spool: engine.spoolHeld,
    fence: ({ shard, epoch }, former, signal) =>
      fenceEverywhere(
        { tls: egressTls, leases: () => fleet.leases, log },
        { pool, shard, epoch, uid: former },
        signal,
      ),
  });
  const obey = () => {
    // In one go, so that a statement never names a revision that only half of the pod acts on.
    engine.assignmentChanged();
    shards.follow(engine.duties, fleet.pool?.classes.map(({ name }) => name) ?? []);
  };
  engine.start();
  const statement = () => engine.statement(shards.held());
  const admin = await serveAdmin(parts.adminPort, parts.identity.serverTls(), statement);
  parts.identity.keepRenewed(admin);
  const end = new AbortController();
  void parts.bus.then((bus) => {
    state.bus = bus;
    if (end.signal.aborted) return;
    const pooled = () => {
      engine.poolChanged();
      obey();
    };
    const changes = { pool: pooled, ipPool: () => {}, assignment: obey, leases: () => {} };
    watchFleet(bus, poolKey(pool), fleet, changes, log, end.signal);
    obey();
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
      fleet.saveNow();
      log.info({ left: spool.stats().entries }, 'delivery ends; the spool stays');
      await spool.close();
      await closed(admin);
    },
  };
}

function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}
