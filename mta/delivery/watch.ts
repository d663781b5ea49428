// What a delivery pod follows of the fleet's KV buckets, and what it asks them at once.
import type { KvEntry } from '@nats-io/kv';
import type { Log } from '../../process/log.ts';
import type { Bus } from '../bus/client.ts';
import { followKeys } from '../bus/follow.ts';
import {
  assignmentKey,
  FLEET_BUCKET,
  ipPoolSnapshotKey,
  LEASE_BUCKET,
  leaseKey,
  type PoolKey,
  poolSnapshotKey,
} from '../bus/names.ts';
import type { AddressLease, Assignment, IPPoolSnapshot, PoolSnapshot } from '../bus/snapshot.ts';
import type { ReadLease } from './fence_decide.ts';
import type { Fleet } from './fleet.ts';

export interface FleetChanges {
  readonly pool: () => void;
  readonly ipPool: () => void;
  /** An assignment was read; `isNew`: it is a later one than that known before. */
  readonly assignment: (isNew: boolean) => void;
  readonly leases: () => void;
}

/** Follows until `signal` is aborted. */
export function watchFleet(
  bus: Bus,
  poolKey: PoolKey,
  fleet: Fleet,
  changes: FleetChanges,
  log: Log,
  signal: AbortSignal,
): void {
  const follow = (bucket: string, key: string, apply: (entry: KvEntry) => void, over = signal) =>
    void followKeys(() => bus.kv(bucket), { keys: key, apply, failed: tell(log) }, over);
  let ipPool = { key: '', stop: new AbortController() };
  /** The IPPool is named by the pool, and may be another one tomorrow. */
  const followIpPool = () => {
    const { pool } = fleet;
    const key = pool ? ipPoolSnapshotKey(pool.namespace, pool.ipPool) : '';
    if (!key || key === ipPool.key) return;
    ipPool.stop.abort();
    ipPool = { key, stop: new AbortController() };
    follow(FLEET_BUCKET, key, takeIpPool, AbortSignal.any([signal, ipPool.stop.signal]));
  };
  const takeIpPool = (entry: KvEntry) => {
    if (entry.operation !== 'PUT') return;
    fleet.setIpPool(entry.json<IPPoolSnapshot>());
    changes.ipPool();
  };
  follow(FLEET_BUCKET, poolSnapshotKey(poolKey), (entry) => {
    if (entry.operation !== 'PUT') return;
    fleet.setPool(entry.json<PoolSnapshot>());
    followIpPool();
    changes.pool();
  });
  follow(FLEET_BUCKET, assignmentKey(poolKey), (entry) => {
    if (entry.operation === 'PUT') changes.assignment(fleet.setAssignment(entry.json<Assignment>()));
  });
  follow(LEASE_BUCKET, 'address.>', (entry) => {
    takeLease(fleet, entry);
    changes.leases();
  });
  followIpPool();
}

function takeLease(fleet: Fleet, entry: KvEntry): void {
  if (entry.operation === 'PUT') {
    const lease = entry.json<AddressLease>();
    const { pool } = fleet;
    if (pool && lease.ipPool === `${pool.namespace}/${pool.ipPool}`) fleet.setLease(lease);
    else fleet.dropLease(lease.address);
  } else fleet.dropLease(entry.key.replace(/^address\./, '').replaceAll('-', ':'));
}

/** The pool's assignment as it stands now; null when there is none. Rejects when NATS does not say. */
export async function readAssignment(bus: Pick<Bus, 'kv'>, poolKey: PoolKey): Promise<Assignment | null> {
  const entry = await (await bus.kv(FLEET_BUCKET)).get(assignmentKey(poolKey));
  return entry?.operation === 'PUT' ? entry.json<Assignment>() : null;
}

/** The leases of all addresses of the pool's IPPool, those included that are leaving it, as they stand now. */
export async function readLeases(
  bus: Pick<Bus, 'kv' | 'obstacle'> | null,
  fleet: Fleet,
): Promise<readonly ReadLease[]> {
  const obstacle = bus ? bus.obstacle() : 'not connected';
  if (!bus || obstacle) throw new Error(`NATS: ${obstacle}`);
  const { pool, ipPool } = fleet;
  if (!pool || !ipPool) throw new Error('the IPPool is not known yet');
  const movable = new Map(ipPool.addresses.map((one) => [one.address, one.movable]));
  const kv = await bus.kv(LEASE_BUCKET);
  const read = async (address: string): Promise<ReadLease[]> => {
    const entry = await kv.get(leaseKey(address));
    if (entry?.operation !== 'PUT') return [];
    // An address that is leaving the IPPool may have been of either kind.
    return [{ lease: entry.json<AddressLease>(), movable: movable.get(address) ?? false }];
  };
  const addresses = new Set([...movable.keys(), ...fleet.leases.keys()]);
  const found = (await Promise.all([...addresses].map(read))).flat();
  return found.filter(({ lease }) => lease.ipPool === `${pool.namespace}/${pool.ipPool}`);
}

const tell =
  (log: Log) =>
  (error: unknown, key: string | null): void => {
    if (key === null) log.debug({ err: error }, 'watch ended');
    else log.error({ key, err: error }, 'a value of the fleet cannot be read; the last good one stays');
  };
