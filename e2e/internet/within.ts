/** Most of `times` in any interval of `ms`, wherever it begins. */
export function mostWithin(times: readonly number[], ms: number): number {
  const sorted = times.toSorted((a, b) => a - b);
  let [from, most] = [0, 0];
  for (const [to, at] of sorted.entries()) {
    while ((sorted[from] as number) <= at - ms) from++;
    most = Math.max(most, to - from + 1);
  }
  return most;
}
