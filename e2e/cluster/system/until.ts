import { setTimeout as delay } from 'node:timers/promises';

/**
 * Waits until `check` gives something truthy; errors of `check` count as "not yet".
 * @param alive called before each try; throws when waiting has become pointless
 * @throws Error naming what was waited for and the last error, after `seconds`
 */
export async function until<T>(
  what: string,
  check: () => Promise<T>,
  { seconds = 60, alive = () => {} }: { seconds?: number; alive?: () => void } = {},
): Promise<NonNullable<T>> {
  const end = performance.now() + seconds * 1000;
  let last: unknown;
  for (;;) {
    alive();
    try {
      const value = await check();
      if (value) return value as NonNullable<T>;
    } catch (error) {
      last = error;
    }
    if (performance.now() > end) {
      const reason = last instanceof Error ? `: ${last.message}` : '';
      throw new Error(`${what} did not happen within ${seconds} s${reason}`, { cause: last });
    }
    await delay(200);
  }
}
