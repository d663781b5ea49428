// The addresses that this pod holds: what each keeper is given, and who is told when a hold begins or ends.
import { log as rootLog } from '../../process/log.ts';
import { LEASE_BUCKET } from '../bus/names.ts';
import type { Bounds } from './bounds.ts';
import type { Egress } from './egress.ts';
import type { Keeper, KeeperOptions } from './keeper.ts';
import { type Address, Keepers } from './keepers.ts';
import { leaseStore } from './lease_store.ts';
import { leaseHeld } from './metrics.ts';
import { nodeLock } from './node_lock.ts';
import type { Physician } from './physician.ts';
import { rankOf } from './placement.ts';
import { presenceOf } from './presence_of.ts';
import { holderOf, type RoleParts } from './role_parts.ts';
import type { SharedTime } from './time.ts';

const log = rootLog.child({ room: 'egress' });

/** What the keepers ask, and who hears of a change. */
export interface Around {
  readonly time: SharedTime;
  readonly egress: Egress;
  readonly bounds: Bounds;
  readonly physician: Physician;
  /** Where this pod listens. */
  readonly port: number;
}

/**
 * @param graceMs how long an address that is given up waits for its connections
 * @param over aborts when what is left after a hand-over has to go
 */
export function newKeepers(
  parts: RoleParts,
  around: Around,
  graceMs: () => number,
  over: AbortSignal,
): Keepers {
  const { egress } = around;
  const changed: KeeperOptions['onChange'] = (keeper, how) => {
    tellChange(keeper, around, how);
    tellReadiness(parts, egress, keepers);
  };
  const keepers = new Keepers((address) => keeperOptions(parts, around, address, changed), {
    over,
    vacate: async (address) => {
      await egress.connections.idle((one) => one.address === address, graceMs());
      await egress.connections.close((one) => one.address === address, 'its address is given up');
    },
  });
  return keepers;
}

/** Ready is a pod that holds one of its addresses, or only waits for its turn. */
export function tellReadiness({ settings, readiness }: RoleParts, { fleet }: Egress, keepers: Keepers): void {
  const obstacle = fleet.ipPool ? keepers.obstacle : `no snapshot of ${settings.POSTFLEET_IP_POOL}`;
  readiness.set('addresses', obstacle);
}

function tellChange(
  keeper: Keeper,
  { egress, bounds, physician }: Around,
  how: 'closed' | 'handed over',
): void {
  showChange(keeper, egress, how);
  const { address } = keeper.options;
  if (keeper.epoch === null) {
    physician.forget(address);
    void bounds.limiter.leave(address);
    void bounds.warmup.left(address);
  } else bounds.limiter.inherit(address, keeper.lingering);
}

/** A hold that ended takes its connections along, unless it was handed over: whoever holds the address next counts those. */
function showChange(keeper: Keeper, egress: Egress, how: 'closed' | 'handed over'): void {
  const { epoch, obstacle, options } = keeper;
  const { address } = options;
  leaseHeld.set({ address }, epoch === null ? 0 : 1);
  const level = epoch === null && how === 'closed' ? 'warn' : 'info';
  log[level]({ address, epoch, obstacle }, epoch === null ? 'address not held' : 'address held');
  if (epoch === null && how === 'closed')
    void egress.connections.close((one) => one.address === address, obstacle ?? 'lost');
}

function keeperOptions(
  parts: RoleParts,
  { time, egress, port }: Around,
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
