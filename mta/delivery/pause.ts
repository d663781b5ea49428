/** Waits `ms`, or less: until `signal` aborts. Never rejects. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
  });
}

/** Resolves when `check` holds, or after `mostMs`. */
export async function until(check: () => boolean, mostMs: number): Promise<void> {
  const end = performance.now() + mostMs;
  while (!check() && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 20));
}
