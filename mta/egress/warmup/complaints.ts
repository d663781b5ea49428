// Complaints about the addresses that this pod may hold, as they stand in NATS KV: what a ledger has not counted yet, it takes from here.
import type { KV, KvWatchEntry } from '@nats-io/kv';
import { complaintForm } from '../../bus/complaint.ts';
import { followKeys } from '../../bus/follow.ts';
import { complaintKeys } from '../../bus/names.ts';

/** There may be a week of them. */
const ASK_AGAIN_MS = 300_000;

export class Complaints {
  readonly #bucket: () => Promise<KV>;
  readonly #warn: (error: unknown) => void;
  /** By (address, provider), the revisions that no ledger here was seen to count. */
  readonly #arrived = new Map<string, Set<number>>();
  #following: { readonly addresses: string; readonly end: AbortController } | null = null;

  constructor(bucket: () => Promise<KV>, warn: (error: unknown) => void) {
    this.#bucket = bucket;
    this.#warn = warn;
  }

  /** Follows those about exactly these addresses. */
  follow(addresses: readonly string[]): void {
    const wanted = addresses.toSorted().join(' ');
    if (this.#following?.addresses === wanted) return;
    this.close();
    if (addresses.length === 0) return;
    const end = new AbortController();
    this.#following = { addresses: wanted, end };
    const apply = (entry: KvWatchEntry) => this.#take(entry);
    const follower = { keys: addresses.map(complaintKeys), apply, failed: this.#warn };
    void followKeys(this.#bucket, follower, end.signal, ASK_AGAIN_MS);
  }

  #take(entry: KvWatchEntry): void {
    if (entry.operation !== 'PUT') return;
    const { address, provider } = complaintForm.parse(entry.json());
    const key = keyOf(address, provider);
    const arrived = this.#arrived.get(key) ?? new Set();
    this.#arrived.set(key, arrived.add(entry.revision));
  }

  /** The revisions after `counted`; the others are done with. */
  readonly after = (address: string, provider: string, counted: number): readonly number[] => {
    const arrived = this.#arrived.get(keyOf(address, provider));
    if (!arrived) return [];
    for (const revision of arrived) if (revision <= counted) arrived.delete(revision);
    return [...arrived];
  };

  close(): void {
    this.#following?.end.abort();
    this.#following = null;
    this.#arrived.clear();
  }
}

const keyOf = (address: string, provider: string): string => `${address} ${provider}`;
