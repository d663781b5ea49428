// Domains and pools from the fleet snapshot: read on demand, kept, refreshed by a watch. What was once read stays in use while
// NATS is away or the operator is.
import type { KV, KvEntry } from '@nats-io/kv';
import type { Log } from '../../process/log.ts';
import { domainSnapshotKey, FLEET_BUCKET, poolKey, poolSnapshotKey } from '../bus/names.ts';
import { type DomainSnapshot, type PoolSnapshot, SNAPSHOT_VERSION } from '../bus/snapshot.ts';
import { Refused } from './refusal.ts';

/** How old a kept snapshot may be before it is asked for again, in case the watch missed something. */
const FRESH_MS = 60_000;
/** A domain that does not exist may be asked for again after this. */
const ABSENT_MS = 2000;
const MOST_KEPT = 200_000;
const WATCH_RETRY_MS = 2000;

interface Kept {
  readonly value: unknown;
  readonly until: number;
  /** Of the key; 0 while it has never been written. An answer that a change has overtaken is not kept. */
  readonly revision: number;
}

export class Fleet {
  readonly #open: () => Promise<KV>;
  readonly #log: Log;
  readonly #now: () => number;
  readonly #kept = new Map<string, Kept>();
  readonly #asked = new Map<string, Promise<unknown>>();
  #kv: Promise<KV> | null = null;
  /** How often a watch has begun: what was asked for before may have changed unseen. */
  #watches = 0;
  #stopped = false;

  constructor(open: (bucket: string) => Promise<KV>, log: Log, now: () => number = () => performance.now()) {
    this.#open = () => open(FLEET_BUCKET);
    this.#log = log;
    this.#now = now;
  }

  /** The domain's snapshot, null when there is no such SendingDomain. @throws Refused when it cannot be known. */
  domain(domain: string): Promise<DomainSnapshot | null> {
    return this.#read(domainSnapshotKey(domain)) as Promise<DomainSnapshot | null>;
  }

  /** The pool's snapshot by `namespace/name`. @throws Refused when it cannot be known. */
  pool(name: string): Promise<PoolSnapshot | null> {
    return this.#read(poolSnapshotKey(poolKey(name))) as Promise<PoolSnapshot | null>;
  }

  async #read(key: string): Promise<unknown> {
    const kept = this.#kept.get(key);
    if (kept && this.#now() < kept.until) return kept.value;
    try {
      return await this.#ask(key);
    } catch (cause) {
      if (kept && kept.value !== null) return kept.value;
      throw new Refused('unavailable', 'the configuration cannot be read now', { cause });
    }
  }

  /** Many messages may wait for the same key. */
  #ask(key: string): Promise<unknown> {
    const running = this.#asked.get(key);
    if (running) return running;
    const [before, watches] = [this.#kept.get(key), this.#watches];
    const asked = this.#bucket()
      .then((kv) => kv.get(key))
      .then((entry) => {
        const now = this.#kept.get(key);
        if (now && now !== before && now.revision > (entry?.revision ?? 0)) return now.value;
        return this.#keep(key, entry, watches === this.#watches);
      })
      .finally(() => this.#asked.delete(key));
    this.#asked.set(key, asked);
    return asked;
  }

  #bucket(): Promise<KV> {
    this.#kv ??= this.#open();
    this.#kv.catch(() => {
      this.#kv = null;
    });
    return this.#kv;
  }

  #keep(key: string, entry: KvEntry | null, isWatched = true): unknown {
    const value = entry?.operation === 'PUT' ? parse(entry) : null;
    if (this.#kept.size >= MOST_KEPT) {
      const oldest = this.#kept.keys().next().value;
      if (oldest !== undefined) this.#kept.delete(oldest);
    }
    this.#kept.delete(key);
    const forMs = !isWatched ? 0 : value === null ? ABSENT_MS : FRESH_MS;
    this.#kept.set(key, { value, until: this.#now() + forMs, revision: entry?.revision ?? 0 });
    return value;
  }

  /** Takes in changes of what is kept, until `stop`. */
  async watch(): Promise<void> {
    while (!this.#stopped) {
      try {
        const kv = await this.#bucket();
        const changes = await kv.watch({ key: ['domain.>', 'pool.>'], include: 'updates' });
        this.#askAnew();
        for await (const entry of changes) {
          if (this.#stopped) return;
          if (this.#kept.has(entry.key) || this.#asked.has(entry.key)) this.#keep(entry.key, entry);
        }
      } catch (error) {
        this.#log.debug({ error: (error as Error).message }, 'the fleet snapshot cannot be watched yet');
      }
      if (!this.#stopped) await new Promise((resolve) => setTimeout(resolve, WATCH_RETRY_MS).unref());
    }
  }

  /** A watch tells only what changes from its beginning on. */
  #askAnew(): void {
    this.#watches++;
    for (const [key, kept] of this.#kept) this.#kept.set(key, { ...kept, until: 0 });
  }

  stop(): void {
    this.#stopped = true;
  }
}

function parse(entry: KvEntry): unknown {
  const value = entry.json<{ version: number }>();
  if (value.version !== SNAPSHOT_VERSION)
    throw new Error(
      `snapshot ${entry.key} has version ${value.version}, this release reads ${SNAPSHOT_VERSION}`,
    );
  return value;
}
