// What egress follows of the fleet snapshot: its IPPool, the pools and their assignments. The last good value stays while NATS
// is away; a value that cannot be read changes nothing.
import type { KV, KvWatchEntry } from '@nats-io/kv';
import { ipPoolSnapshotKey, type PoolKey } from '../bus/names.ts';
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
}

/** Follows the bucket for ever, beginning with all present values; a watch that ends is begun again. */
export async function followFleet(
  bucket: () => Promise<KV>,
  keys: string[],
  apply: (key: string, value: unknown) => void,
  onError: (error: unknown) => void,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      const watch = await (await bucket()).watch({ key: keys });
      const stop = () => watch.stop();
      signal.addEventListener('abort', stop, { once: true });
      for await (const entry of watch) {
        try {
          apply(entry.key, parsed(entry));
        } catch (error) {
          onError(error);
        }
      }
      signal.removeEventListener('abort', stop);
    } catch (error) {
      onError(error);
    }
    if (!signal.aborted) await new Promise((resolve) => setTimeout(resolve, 1000).unref());
  }
}

const parsed = (entry: KvWatchEntry): unknown => (entry.operation === 'PUT' ? entry.json() : null);
