// In which order jest runs its files (jest.sequencer.js): those that take longest first, so that none of them is left over to one worker at
// the end. Jest itself knows that only of what it has run before in this folder; on a fresh checkout it goes by the size of the files.

/** What takes about a minute or more: mostly waiting, so that others have the machine meanwhile. */
export const LONGEST: readonly string[] = [
  'e2e/crash-points/walk.integration.test.ts',
  'mta/delivery/pool-caps.integration.test.ts',
  'e2e/crash-points/operator.integration.test.ts',
  'operator/operator.integration.test.ts',
  'mta/delivery/delivery.integration.test.ts',
];

/** Those of the list first, in its order, and the others as they were. Pure. */
export function longestFirst<T extends { readonly path: string }>(files: readonly T[]): T[] {
  const rank = ({ path }: T): number => {
    const at = LONGEST.findIndex((one) => path.endsWith(`/${one}`));
    return at < 0 ? LONGEST.length : at;
  };
  return files.toSorted((one, other) => rank(one) - rank(other));
}
