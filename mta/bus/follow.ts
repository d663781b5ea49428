// Follows keys of a KV bucket for ever. A watch that ends is begun anew, and so is one that seems well, now and then: after a change of
// leader it can fall silent, and in a bucket that was wiped it waits for numbers that are only reached again in days.
import type { KV, KvWatchEntry } from '@nats-io/kv';

const RETRY_MS = 1000;
/** How old what is known may become when a watch has fallen silent. */
export const ASK_AGAIN_MS = 20_000;

export interface Follower {
  readonly keys: string | string[];
  /** One value that cannot be read does not end the watch of the others: what this throws goes to `failed`. */
  apply(entry: KvWatchEntry): void;
  /** A watch has run its whole time, and these are the keys it has found. */
  passed?(keys: ReadonlySet<string>): void;
  /** @param key null: it is the watch that failed */
  failed(error: unknown, key: string | null): void;
}

/** Resolves when `signal` is aborted. */
export async function followKeys(
  open: () => Promise<KV>,
  follower: Follower,
  signal: AbortSignal,
  askAgainMs = ASK_AGAIN_MS,
): Promise<void> {
  while (!signal.aborted) {
    const began = performance.now();
    try {
      await watchOnce(await open(), follower, signal, askAgainMs);
    } catch (error) {
      follower.failed(error, null);
    }
    // However it ended, it is not begun as fast as the network goes.
    if (!signal.aborted && performance.now() - began < askAgainMs / 2)
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS).unref());
  }
}

/** Watches for `askAgainMs`, or until the watch or `signal` ends. An iterator that has fallen deaf does not hear its own stop. */
async function watchOnce(
  bucket: KV,
  follower: Follower,
  signal: AbortSignal,
  askAgainMs: number,
): Promise<void> {
  const watch = await bucket.watch({ key: follower.keys });
  const over = Promise.withResolvers<void>();
  const pass = new Pass();
  const stop = () => {
    watch.stop();
    over.resolve();
  };
  const again = setTimeout(() => {
    stop();
    if (pass.isWhole) follower.passed?.(pass.keys);
  }, askAgainMs);
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  const all = (async () => {
    for await (const entry of watch) {
      pass.note(entry);
      applied(entry, follower);
    }
  })();
  try {
    await Promise.race([all, over.promise]);
  } finally {
    all.catch(() => {});
    clearTimeout(again);
    signal.removeEventListener('abort', stop);
  }
}

/** The keys a watch has found. */
class Pass {
  readonly keys = new Set<string>();
  /** All that were there at its beginning have come. An empty bucket does not say so, which may well be one that is being filled. */
  isWhole = false;

  note({ key, operation, isUpdate }: KvWatchEntry): void {
    if (operation === 'PUT') this.keys.add(key);
    else this.keys.delete(key);
    this.isWhole ||= isUpdate;
  }
}

function applied(entry: KvWatchEntry, follower: Follower): void {
  try {
    follower.apply(entry);
  } catch (error) {
    follower.failed(error, entry.key);
  }
}
