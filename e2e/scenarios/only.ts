// Which scenarios `make scenarios ONLY=…` runs. Pure.
import { basename } from 'node:path';

export const SCENARIO = '.scenario.test.ts';

const nameOf = (file: string): string => basename(file, SCENARIO);

/**
 * @param files all there are
 * @param part the name of one, or else a part of the names of some; absent or empty: all
 * @throws RangeError when none is called so, with the names there are
 */
export function onlyThose(files: readonly string[], part = ''): readonly string[] {
  const exact = files.filter((file) => nameOf(file) === part);
  if (exact.length > 0) return exact;
  const some = files.filter((file) => nameOf(file).includes(part));
  if (some.length > 0) return some;
  const names = files.map(nameOf).sort().join(', ');
  throw new RangeError(`ONLY=${part}: no scenario is called so; there are ${names}`);
}
