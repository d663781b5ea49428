// What egress follows of the fleet snapshot: its IPPool, the pools and their assignments. The last good value stays while NATS
// is away; a value that cannot be read changes nothing.
import { ipPoolSnapshotKey, type PoolKey, poolSnapshotKey } from '../bus/names.ts';
import {
  type Assignment,
  type IPPoolSnapshot,
  type PoolSnapshot,
  SNAPSHOT_VERSION,
} from '../bus/snapshot.ts';

export class Fleet {
  readonly #ipPoolKey: string;
  ipPool: IPPoolSnapshot | null = null;
  readonly pools = new Map<PoolKey, PoolSnapshot>();

  /** `ipPool` is namespace/name. */
  constructor(ipPool: string) {
    const [namespace = '', name = ''] = ipPool.split('/');
    this.#ipPoolKey = ipPoolSnapshotKey(namespace, name);
  }

  /** The KV keys to watch. */
  get keys(): string[] {
    return [this.#ipPoolKey, 'pool.*', 'assignment.*'];
  }

  /** Takes in one key; null: it was deleted. Returns the assignment if it was one. */
  apply(key: string, value: unknown): { readonly pool: PoolKey; readonly assignment: Assignment } | null {
    if (value !== null && (value as { version?: unknown }).version !== SNAPSHOT_VERSION)
      throw new RangeError(
        `${key} has version ${(value as { version?: unknown }).version}, not ${SNAPSHOT_VERSION}`,
      );
    const [kind = '', name = ''] = key.split(/\.(.*)/s);
    if (key === this.#ipPoolKey) this.ipPool = value as IPPoolSnapshot | null;
    else if (kind === 'pool' && value === null) this.pools.delete(name as PoolKey);
    else if (kind === 'pool') this.pools.set(name as PoolKey, value as PoolSnapshot);
    else if (kind === 'assignment' && value !== null)
      return { pool: name as PoolKey, assignment: value as Assignment };
    return null;
  }

  /**
   * Forgets the pools that are not among `keys`, which are all there are: their deletion was not heard. A bucket without our IPPool is
   * one that is being made anew, and says nothing about what is not in it yet.
   */
  keepOnly(keys: ReadonlySet<string>): void {
    if (!keys.has(this.#ipPoolKey)) return;
    for (const pool of this.pools.keys()) if (!keys.has(poolSnapshotKey(pool))) this.pools.delete(pool);
  }
}
