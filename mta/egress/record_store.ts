// A record in NATS KV, written by compare-and-set on its revision: what an egress pod must have said durably before it acts on it.
import type { KV } from '@nats-io/kv';
import { isWrongRevision } from '../bus/revision.ts';

/** One record. Both calls reject while NATS is away, and then it is unknown what became of a write. */
export interface RecordStore<T> {
  read(): Promise<{ readonly record: T | null; readonly revision: number }>;
  /** Writes if the key still stands at `revision`; returns the new revision. Rejects with `conflict()` when it does not. */
  write(record: T, revision: number): Promise<number>;
}

export interface RecordPlace {
  readonly bucket: () => Promise<KV>;
  readonly key: string;
  /** Why NATS is not to be trusted now (a record on a server that may forget it is none): then both calls reject. */
  readonly obstacle: () => string | null;
  /** What a write rejects with when somebody else has written. */
  readonly conflict: (revision: number, cause: unknown) => Error;
}

/** Well under a lease, so that a stuck write does not cost it. */
const WRITE_TIMEOUT_MS = 2_000;

export function recordStore<T>({ bucket, key, obstacle, conflict }: RecordPlace): RecordStore<T> {
  const trusted = async (): Promise<KV> => {
    const why = obstacle();
    if (why) throw new Error(`NATS: ${why}`);
    return bucket();
  };
  return {
    async read() {
      const entry = await (await trusted()).get(key);
      if (!entry) return { record: null, revision: 0 };
      return { record: entry.operation === 'PUT' ? entry.json<T>() : null, revision: entry.revision };
    },
    async write(record, revision) {
      const kv = await trusted();
      try {
        const bytes = JSON.stringify(record);
        // The client has no update from revision 0: "not there yet" is a create.
        return revision === 0
          ? await kv.create(key, bytes)
          : await kv.update(key, bytes, revision, WRITE_TIMEOUT_MS);
      } catch (error) {
        if (isWrongRevision(error)) throw conflict(revision, error);
        throw error;
      }
    },
  };
}
