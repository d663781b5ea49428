// The role put together: snapshot, leases, server. Everything with a life of its own comes in from main.ts (or a test).
import type { Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { KvEntry } from '@nats-io/kv';
import type { Readiness } from '../../process/health.ts';
import type { Credentials } from '../../process/identity/credentials.ts';
import { log as rootLog } from '../../process/log.ts';
import type { Bus } from '../bus/client.ts';
import { LONGEST_CONNECTION_MS } from '../bus/connect.ts';
import { followKeys } from '../bus/follow.ts';
import { COMPLAINTS_BUCKET, FLEET_BUCKET, LEASE_BUCKET, LIMITS_BUCKET, WARMUP_BUCKET } from '../bus/names.ts';
import type { AddressLease, IPPoolSnapshot } from '../bus/snapshot.ts';
import { announce } from './announce.ts';
import { broughtUpPresence } from './bringup.ts';
import { PoolCaps } from './caps/caps.ts';
import { usesIpPool } from './decide.ts';
import { destinationRule } from './destinations.ts';
import type { DialOptions } from './dial.ts';
import { Egress } from './egress.ts';
import { FITNESS_RULES } from './fitness.ts';
import type { LeaseTimes } from './hold.ts';
import { linkFor, ownAddresses } from './interfaces.ts';
import type { Clock, Keeper, KeeperOptions } from './keeper.ts';
import { type Address, Keepers } from './keepers.ts';
import { leaseStore, readLeases } from './lease_store.ts';
import { Limiter } from './limits/limiter.ts';
import { pairGauges } from './limits/metrics.ts';
import type { OtherRoom } from './limits/port.ts';
import { pairStore } from './limits/store.ts';
import { ipLinks } from './links.ts';
import { leaseHeld, unfit } from './metrics.ts';
import { nodeLock } from './node_lock.ts';
import { Physician } from './physician.ts';
import { eligible, rankOf } from './placement.ts';
import { fixedPresence, type Presence } from './presence.ts';
import { egressServer } from './server.ts';
import type { EgressSettings } from './settings.ts';
import { natsTime, SharedTime } from './time.ts';
import { Complaints } from './warmup/complaints.ts';
import { warmupRoom } from './warmup/other_room.ts';
import { ledgerStore } from './warmup/store.ts';
import { Warmup } from './warmup/warmup.ts';

const log = rootLog.child({ room: 'egress' });

/** How long an address that leaves the IPPool waits for its connections: a grant, and what comes after it. */
const VACATE_MS = LONGEST_CONNECTION_MS;

/** What a machine's clock gains or loses meanwhile is nothing. */
const TIME_MS = 60_000;

/** Longer than a renewal: what other pods have connected is read from their leases. */
const EXAMINE_MS = 4_000;
/** How often it is looked whether a part of a cap is due. */
const ASK_FOR_CAPS_MS = 100;

export interface RoleParts {
  readonly settings: Pick<
    EgressSettings,
    | 'POSTFLEET_IP_POOL'
    | 'POSTFLEET_EGRESS_HOST'
    | 'POSTFLEET_EGRESS_PORT'
    | 'POSTFLEET_ALLOWED_DESTINATIONS'
    | 'POSTFLEET_POD_NAME'
    | 'POSTFLEET_POD_UID'
    | 'POSTFLEET_NODE_NAME'
  >;
  /** The pod's certificate, as it is now. */
  readonly tls: () => Credentials;
  readonly bus: Pick<Bus, 'kv' | 'obstacle'>;
  readonly resolve: DialOptions['resolve'];
  readonly readiness: Readiness;
  readonly clock: Clock;
  readonly times: LeaseTimes;
  readonly connectTimeoutMs: number;
  readonly idleMs: number;
  readonly halfClosedMs: number;
}

export interface Role {
  readonly egress: Egress;
  readonly keepers: Keepers;
  readonly server: Server;
  readonly port: number;
  /** Stops granting, lets open connections finish for at most `graceMs`, releases the leases, ends. */
  close(graceMs: number): Promise<void>;
}

/** Starts egress; resolves when it listens. It is ready when an address is held (readiness `addresses`). */
export async function startRole(parts: RoleParts): Promise<Role> {
  const { settings, clock, bus, readiness } = parts;
  readiness.set('addresses', 'the snapshot is not there yet');
  let graceMs = VACATE_MS;
  const physician = new Physician({
    rules: FITNESS_RULES,
    now: clock.now,
    leases: () => readLeases(bus, egress.fleet.ipPool),
    onChange: (address, why) => {
      keepers.setUnfit(address, why);
      unfit.set({ address }, why === null ? 0 : 1);
      log[why === null ? 'info' : 'warn'](
        { address, why },
        why === null ? 'address in use again' : 'address taken out',
      );
    },
  });
  const time = newTime(parts);
  const complaints = new Complaints(
    () => bus.kv(COMPLAINTS_BUCKET),
    (error) => log.warn({ err: error }, 'complaints'),
  );
  const warmup = newWarmup(parts, time, () => egress, complaints);
  let port = settings.POSTFLEET_EGRESS_PORT;
  const caps = newCaps(
    parts,
    time,
    () => port,
    (provider) => egress.connections.count((one) => one.provider === provider),
  );
  const limiter = newLimiter(parts, time, () => egress, warmupRoom(warmup), caps);
  pairGauges.onScrape(() => limiter.show());
  const egress = newEgress(parts, time, limiter, warmup, () => keepers, physician);
  const server = egressServer(egress, caps, parts.tls(), log);
  port = await listen(server, port);
  const tellReadiness = () =>
    readiness.set(
      'addresses',
      egress.fleet.ipPool ? keepers.obstacle : `no snapshot of ${settings.POSTFLEET_IP_POOL}`,
    );
  const changed: KeeperOptions['onChange'] = (keeper, how) => {
    tellChange(keeper, egress, how);
    const { address } = keeper.options;
    if (keeper.epoch === null) {
      physician.forget(address);
      void limiter.leave(address);
    } else limiter.inherit(address, keeper.lingering);
    if (keeper.epoch === null) void warmup.left(address);
    tellReadiness();
  };
  const over = new AbortController();
  const keepers = new Keepers((address) => keeperOptions(parts, time, egress, port, address, changed), {
    over: over.signal,
    vacate: async (address) => {
      await egress.connections.idle((one) => one.address === address, graceMs);
      await egress.connections.close((one) => one.address === address, 'its address is given up');
    },
  });
  const end = new AbortController();
  let closing = false;
  const applyCaps = () => {
    const { ipPool, pools } = egress.fleet;
    caps.apply(ipPool ? [...pools.values()].filter((pool) => usesIpPool(pool, ipPool)) : []);
  };
  const apply = (entry: KvEntry) => {
    const { key } = entry;
    egress.apply(key, entry.operation === 'PUT' ? entry.json() : null);
    applyCaps();
    if (!key.startsWith('ippool.') || closing) return;
    const { ipPool } = egress.fleet;
    warmup.replan();
    const mine = eligible(ipPool, settings.POSTFLEET_NODE_NAME);
    keepers.keep(mine, ipPool?.bringUp);
    complaints.follow(ipPool?.warmup ? mine.map(({ address }) => address) : []);
  };
  const following = followKeys(
    () => bus.kv(FLEET_BUCKET),
    {
      keys: egress.fleet.keys,
      apply,
      passed: (keys) => {
        egress.fleet.keepOnly(keys);
        applyCaps();
      },
      failed: (error, key) => log.warn({ err: error, key }, 'fleet snapshot'),
    },
    end.signal,
  );
  let told = '';
  const tellUnheld = () => {
    const unheld = keepers.unheld.join('; ');
    if (unheld && unheld !== told) log.info({ unheld: keepers.unheld }, 'addresses not held here');
    told = unheld;
  };
  const examine = setInterval(() => void physician.look(), EXAMINE_MS).unref();
  const lookAtTime = setInterval(() => void time.look().catch(() => {}), TIME_MS).unref();
  const look = setInterval(() => {
    tellReadiness();
    tellUnheld();
    for (const { address } of egress.fleet.ipPool?.addresses ?? [])
      limiter.inherit(address, keepers.lingering(address));
    limiter.tick();
    warmup.tick();
    caps.tend();
  }, 1000).unref();
  const askForCaps = setInterval(() => caps.tick(), ASK_FOR_CAPS_MS).unref();
  return {
    egress,
    keepers,
    server,
    port,
    async close(ms) {
      graceMs = ms;
      readiness.set('addresses', 'shutting down');
      clearInterval(look);
      clearInterval(examine);
      clearInterval(lookAtTime);
      closing = true;
      const late = setTimeout(() => {
        over.abort();
        void egress.connections.close(() => true, 'the grace is over');
      }, ms);
      await keepers.handOverAll();
      await limiter.leaveAll();
      clearTimeout(late);
      await egress.connections.close(() => true, 'shutting down');
      end.abort();
      clearInterval(askForCaps);
      await caps.close();
      await warmup.close();
      complaints.close();
      server.close();
      server.closeAllConnections();
      await following;
      log.info({ at: clock.now() }, 'egress ended');
    },
  };
}

function newEgress(
  { settings, resolve, connectTimeoutMs, idleMs, halfClosedMs }: RoleParts,
  time: SharedTime,
  limiter: Limiter,
  warmup: Warmup,
  keepers: () => Keepers,
  physician: Physician,
) {
  const own = () => [
    ...ownAddresses(),
    ...(egress.fleet.ipPool?.addresses ?? []).map(({ address }) => address),
  ];
  const egress: Egress = new Egress({
    ipPool: settings.POSTFLEET_IP_POOL,
    destination: destinationRule(settings.POSTFLEET_ALLOWED_DESTINATIONS, own),
    holds: (address) => keepers().grants(address),
    epochOf: (address) => keepers().epoch(address),
    mayCarry: (address, epoch) => keepers().mayCarry(address, epoch),
    limiter,
    wallNow: time.now,
    warmupDay: (address, provider) => warmup.day(address, provider),
    resolve,
    connectTimeoutMs,
    idleMs,
    halfClosedMs,
    onDial: (address, outcome, host) => physician.note(address, outcome, host),
    log,
  });
  return egress;
}

function newTime({ bus, clock }: RoleParts): SharedTime {
  return new SharedTime({
    ask: () => natsTime(bus),
    monotonic: clock.now,
    machine: Date.now,
    onOff: (offMs, isFar) =>
      log[isFar ? 'warn' : 'info'](
        { offMs: Math.round(offMs) },
        isFar
          ? 'the clock of this machine is not the one of NATS, which limits and warm-up go by'
          : 'the clock of this machine is right again',
      ),
  });
}

function newWarmup(
  { bus }: RoleParts,
  time: SharedTime,
  egress: () => Egress,
  complaints: Complaints,
): Warmup {
  const { kv, obstacle } = time.dated(bus);
  return new Warmup({
    ipPool: () => egress().fleet.ipPool,
    store: (address, provider) =>
      ledgerStore(() => kv(WARMUP_BUCKET), obstacle, address, provider, egress().unnamed(provider)),
    now: time.now,
    warn: (error) => log.warn({ err: error }, 'warm-up'),
    complaintsAfter: complaints.after,
  });
}

function newCaps(
  parts: RoleParts,
  time: SharedTime,
  port: () => number,
  open: (provider: string) => number,
): PoolCaps {
  const { settings, bus, tls, clock } = parts;
  return new PoolCaps({
    ...{ ipPool: settings.POSTFLEET_IP_POOL, self: () => holderOf(parts, port()) },
    ...{ bus: time.dated(bus), tls, open, clock, wallNow: time.now, log },
  });
}

const holderOf = ({ settings }: RoleParts, port: number): AddressLease['holder'] => ({
  pod: settings.POSTFLEET_POD_NAME,
  uid: settings.POSTFLEET_POD_UID,
  node: settings.POSTFLEET_NODE_NAME,
  host: settings.POSTFLEET_EGRESS_HOST,
  port,
});

function newLimiter(
  { settings, bus, clock }: RoleParts,
  time: SharedTime,
  egress: () => Egress,
  other: OtherRoom,
  caps: PoolCaps,
): Limiter {
  const { kv, obstacle } = time.dated(bus);
  return new Limiter({
    uid: settings.POSTFLEET_POD_UID,
    clock,
    wallNow: time.now,
    store: (address, provider) =>
      pairStore(() => kv(LIMITS_BUCKET), obstacle, address, provider, egress().unnamed(provider)),
    other,
    pool: caps.borrower,
    warn: (error) => log.warn({ err: error }, 'limits'),
  });
}

function keeperOptions(
  parts: RoleParts,
  time: SharedTime,
  egress: Egress,
  port: number,
  { address, bindAddress, movable }: Address,
  onChange: KeeperOptions['onChange'],
): KeeperOptions {
  const { settings, bus, clock, times } = parts;
  const node = settings.POSTFLEET_NODE_NAME;
  const { bringUp } = egress.fleet.ipPool ?? {};
  const { kv, obstacle } = time.dated(bus);
  return {
    address,
    ipPool: settings.POSTFLEET_IP_POOL,
    movable,
    broughtUp: bringUp !== undefined && movable,
    holder: holderOf(parts, port),
    rank: () => rankOf(egress.fleet.ipPool, address, node),
    store: leaseStore(() => kv(LEASE_BUCKET), obstacle, address),
    lock: nodeLock(`${egress.fleet.ipPool?.uid}/${address}`),
    presence: presenceOf(bindAddress ?? address, movable ? bringUp : undefined, clock),
    times,
    clock,
    wallNow: time.now,
    open: () => egress.connections.byProvider(address),
    connected: () => egress.connected(address),
    onChange,
  };
}

const links = ipLinks();

function presenceOf(address: string, where: IPPoolSnapshot['bringUp'], clock: Clock): Presence {
  if (where === undefined) return fixedPresence(address);
  const name =
    where.interface === undefined
      ? `interface with an address of ${where.segment} (placement.segment)`
      : `interface ${where.interface} (placement.interface)`;
  return broughtUpPresence(address, name, {
    links,
    link: () => linkFor(where),
    announce,
    now: clock.now,
    later: clock.after,
    warn: (error) => log.warn({ err: error, address }, 'neighbours were not told of the address'),
  });
}

/** A hold that ended takes its connections along, unless it was handed over: whoever holds the address next counts those. */
function tellChange(keeper: Keeper, egress: Egress, how: 'closed' | 'handed over'): void {
  const { epoch, obstacle, options } = keeper;
  const { address } = options;
  leaseHeld.set({ address }, epoch === null ? 0 : 1);
  const level = epoch === null && how === 'closed' ? 'warn' : 'info';
  log[level]({ address, epoch, obstacle }, epoch === null ? 'address not held' : 'address held');
  if (epoch === null && how === 'closed')
    void egress.connections.close((one) => one.address === address, obstacle ?? 'lost');
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) =>
    server.once('error', reject).listen(port, () => resolve((server.address() as AddressInfo).port)),
  );
}
