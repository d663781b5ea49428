// Follows the fleet's KV buckets. A watch that ends is begun anew; besides, everything is asked for now and then, because a
// watch can fall silent after a change of leader.
import type { KV, KvEntry } from '@nats-io/kv';
import type { Log } from '../../process/log.ts';
import type { Bus } from '../bus/client.ts';
import {
  assignmentKey,
  FLEET_BUCKET,
  ipPoolSnapshotKey,
  LEASE_BUCKET,
  type PoolKey,
  poolSnapshotKey,
} from '../bus/names.ts';
import type { AddressLease, Assignment, IPPoolSnapshot, PoolSnapshot } from '../bus/snapshot.ts';
import type { Fleet } from './fleet.ts';

const RETRY_MS = 1000;
const ASK_AGAIN_MS = 20_000;

export interface FleetChanges {
  readonly pool: () => void;
  readonly ipPool: () => void;
  readonly assignment: () => void;
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
    void followKey(() => bus.kv(bucket), key, apply, log, over);
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
    if (entry.operation === 'PUT' && fleet.setAssignment(entry.json<Assignment>())) changes.assignment();
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

async function followKey(
  open: () => Promise<KV>,
  key: string,
  apply: (entry: KvEntry) => void,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      const watch = await (await open()).watch({ key });
      const stop = () => watch.stop();
      const again = setTimeout(stop, ASK_AGAIN_MS);
      signal.addEventListener('abort', stop, { once: true });
      for await (const entry of watch) applied(entry, apply, log);
      clearTimeout(again);
      signal.removeEventListener('abort', stop);
    } catch (error) {
      log.debug({ key, err: error }, 'watch ended');
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS).unref());
    }
  }
}

/** One value that cannot be read must not end the watch of the others; the last good one stays. */
function applied(entry: KvEntry, apply: (entry: KvEntry) => void, log: Log): void {
  try {
    apply(entry);
  } catch (error) {
    log.error({ key: entry.key, err: error }, 'a value of the fleet cannot be read; the last good one stays');
  }
}
