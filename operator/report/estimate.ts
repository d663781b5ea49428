// How long a drain will still take, from how it has gone.

/** At least this much has to have been watched before a guess is worth anything. */
const SHORTEST_MS = 3000;

/** Seconds until `left` reaches 0 at the rate seen so far; null while nothing can be said. */
export function estimateSeconds(
  samples: readonly { readonly at: number; readonly left: number }[],
): number | null {
  const [first, last] = [samples[0], samples.at(-1)];
  if (!first || !last || last.at - first.at < SHORTEST_MS) return null;
  const gone = first.left - last.left;
  return gone <= 0 ? null : Math.ceil((last.left * (last.at - first.at)) / gone / 1000);
}
