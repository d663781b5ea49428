// Whether the spool volumes are as large as the pool asks. Pure.
import type { NewCondition } from '../../resources/conditions.ts';
import { quantityBytes } from '../../resources/quantity.ts';

export interface ClaimSize {
  readonly name: string;
  readonly requested: string;
  /** Of the volume that is bound; null: none yet. */
  readonly capacity: string | null;
}

/** @param refused what the API server said to a request for more, or null. */
export function volumesSized(
  wanted: string,
  claims: readonly ClaimSize[],
  refused: string | null,
): NewCondition {
  const type = 'VolumesSized';
  const least = quantityBytes(wanted);
  const isSmall = (size: string | null) => size !== null && quantityBytes(size) < least;
  if (refused) return { type, status: 'False', reason: 'VolumeCannotGrow', message: refused };
  const small = claims.filter(({ requested, capacity }) => isSmall(requested) || isSmall(capacity));
  if (small.length === 0)
    return { type, status: 'True', reason: 'AsExpected', message: `each volume has ${wanted}` };
  const list = small.map(({ name, capacity, requested }) => `${name} has ${capacity ?? requested}`);
  return { type, status: 'False', reason: 'VolumeGrowing', message: `${list.join(', ')} of ${wanted}` };
}
