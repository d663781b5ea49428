// The role put together: snapshot, leases, server. Everything with a life of its own comes in from main.ts (or a test).
import type { Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Readiness } from '../../process/health.ts';
import { log as rootLog } from '../../process/log.ts';
import type { Bus } from '../bus/client.ts';
import { LONGEST_CONNECTION_MS } from '../bus/connect.ts';
import { FLEET_BUCKET, LEASE_BUCKET } from '../bus/names.ts';
import { destinationRule } from './destinations.ts';
import type { DialOptions } from './dial.ts';
import { Egress } from './egress.ts';
import { followFleet } from './fleet.ts';
import type { LeaseTimes } from './hold.ts';
import { machineHas, ownAddresses } from './interfaces.ts';
import type { Clock, Keeper, KeeperOptions } from './keeper.ts';
import { Keepers } from './keepers.ts';
import { leaseStore } from './lease_store.ts';
import { leaseHeld } from './metrics.ts';
import { nodeLock } from './node_lock.ts';
import { egressServer, type TlsFiles } from './server.ts';
import type { EgressSettings } from './settings.ts';

const log = rootLog.child({ room: 'egress' });

/** How long an address that leaves the IPPool waits for its connections: a grant, and what comes after it. */
const VACATE_MS = LONGEST_CONNECTION_MS;

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
  readonly tls: TlsFiles;
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
  const egress = newEgress(parts, (address) => keepers.grants(address));
  const server = egressServer(egress, parts.tls, log);
  const port = await listen(server, settings.POSTFLEET_EGRESS_PORT);
  const tellReadiness = () =>
    readiness.set(
      'addresses',
      egress.fleet.ipPool ? keepers.obstacle : `no snapshot of ${settings.POSTFLEET_IP_POOL}`,
    );
  const changed = (keeper: Keeper) => {
    tellChange(keeper, egress);
    tellReadiness();
  };
  const keepers = new Keepers(
    (address) => keeperOptions(parts, egress, port, address, changed),
    async (address) => {
      await egress.connections.idle((one) => one.address === address, graceMs);
      await egress.connections.close((one) => one.address === address, 'its address is given up');
    },
  );
  const end = new AbortController();
  const apply = (key: string, value: unknown) => {
    egress.apply(key, value);
    if (key.startsWith('ippool.') && !end.signal.aborted) keepers.keep(egress.fleet.ipPool?.addresses ?? []);
  };
  const warn = (error: unknown) => log.warn({ err: error }, 'fleet snapshot');
  const following = followFleet(() => bus.kv(FLEET_BUCKET), egress.fleet.keys, apply, warn, end.signal);
  const look = setInterval(tellReadiness, 1000).unref();
  return {
    egress,
    keepers,
    server,
    port,
    async close(ms) {
      graceMs = ms;
      readiness.set('addresses', 'shutting down');
      clearInterval(look);
      end.abort();
      const over = setTimeout(() => void egress.connections.close(() => true, 'the grace is over'), ms);
      await keepers.giveUpAll();
      clearTimeout(over);
      await egress.connections.close(() => true, 'shutting down');
      server.close();
      server.closeAllConnections();
      await following;
      log.info({ at: clock.now() }, 'egress ended');
    },
  };
}

function newEgress(
  { settings, resolve, clock, connectTimeoutMs, idleMs, halfClosedMs }: RoleParts,
  holds: (a: string) => boolean,
) {
  const own = () => [
    ...ownAddresses(),
    ...(egress.fleet.ipPool?.addresses ?? []).map(({ address }) => address),
  ];
  const egress: Egress = new Egress({
    ipPool: settings.POSTFLEET_IP_POOL,
    destination: destinationRule(settings.POSTFLEET_ALLOWED_DESTINATIONS, own),
    holds,
    resolve,
    connectTimeoutMs,
    idleMs,
    halfClosedMs,
    now: clock.now,
    log,
  });
  return egress;
}

function keeperOptions(
  { settings, bus, clock, times }: RoleParts,
  egress: Egress,
  port: number,
  { address, bindAddress, movable }: { address: string; bindAddress?: string | undefined; movable: boolean },
  onChange: (keeper: Keeper) => void,
): KeeperOptions {
  return {
    address,
    ipPool: settings.POSTFLEET_IP_POOL,
    movable,
    holder: {
      pod: settings.POSTFLEET_POD_NAME,
      uid: settings.POSTFLEET_POD_UID,
      node: settings.POSTFLEET_NODE_NAME,
      host: settings.POSTFLEET_EGRESS_HOST,
      port,
    },
    store: leaseStore(() => bus.kv(LEASE_BUCKET), bus.obstacle, address),
    lock: nodeLock(`${egress.fleet.ipPool?.uid}/${address}`),
    onMachine: () => machineHas(bindAddress ?? address),
    times,
    clock,
    onChange,
  };
}

/** A hold that ended takes its connections along: whoever holds the address next counts from zero. */
function tellChange(keeper: Keeper, egress: Egress): void {
  const { epoch, obstacle, options } = keeper;
  const { address } = options;
  leaseHeld.set({ address }, epoch === null ? 0 : 1);
  log[epoch === null ? 'warn' : 'info'](
    { address, epoch, obstacle },
    epoch === null ? 'address not held' : 'address held',
  );
  if (epoch === null) void egress.connections.close((one) => one.address === address, obstacle ?? 'lost');
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) =>
    server.once('error', reject).listen(port, () => resolve((server.address() as AddressInfo).port)),
  );
}
