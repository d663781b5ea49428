// A failpoint as a breakpoint. Pure.

export const INSPECTOR_PORT = 9229;

/** Line of failpoint()'s body, from 0. @throws Error when the source has changed its form */
export function lineOf(source: string): number {
  const lines = source.split('\n');
  const head = lines.findIndex((line) => line.startsWith('export function failpoint(name'));
  if (head < 0) throw new Error('process/failpoint.ts has no function failpoint(name …)');
  return head + 1;
}

/** What the process evaluates each time: whether it stops there, which is at the nth time at that place. */
export const conditionOf = (name: string, nth: number): string =>
  `name === ${JSON.stringify(name)} && (globalThis.failpointReached = (globalThis.failpointReached ?? 0) + 1) === ${nth}`;
