// Growing spool volumes. The claim template of a StatefulSet cannot be changed, so claims are grown one by one, and new
// ones right after they appear.
import { quantityBytes } from '../../resources/quantity.ts';
import { deliveryName } from '../desired/names.ts';
import type { SendingPool } from '../observe/resources.ts';
import { isSpoolOf } from '../observe/views.ts';
import { ApiError } from '../runtime/errors.ts';
import { type AnyObject, TYPES } from '../runtime/objects.ts';
import type { Deps } from './deps.ts';

interface ClaimSpec {
  readonly resources?: { readonly requests?: { readonly storage?: string } };
}
const sizeOf = (spec: ClaimSpec | undefined): string | null => spec?.resources?.requests?.storage ?? null;

/** The size in the claim template of an existing StatefulSet: it has to be applied as it is. */
export function templateSize(statefulSet: AnyObject | undefined): string | null {
  const spec = statefulSet?.spec as { volumeClaimTemplates?: readonly { spec?: ClaimSpec }[] } | undefined;
  return sizeOf(spec?.volumeClaimTemplates?.[0]?.spec);
}

/** Asks for more space on claims that have less than the pool wants. A storage class that cannot grow is told, not retried hard. */
export async function growVolumes(deps: Deps, pool: SendingPool): Promise<void> {
  const { size } = pool.spec.storage;
  const { name } = pool.metadata;
  for (const claim of deps.caches.claims.list()) {
    const now = sizeOf(claim.spec as ClaimSpec);
    if (!isSpoolOf(claim, name, deliveryName(name)) || !now || quantityBytes(now) >= quantityBytes(size))
      continue;
    const { uid } = claim.metadata;
    const body = { metadata: { uid }, spec: { resources: { requests: { storage: size } } } };
    try {
      await deps.api.patch(TYPES.persistentVolumeClaims, claim.metadata, { kind: 'merge', body });
    } catch (error) {
      if (!ApiError.isForbidden(error) && !ApiError.isInvalid(error)) throw error;
      const note = `${claim.metadata.name} cannot grow: ${(error as Error).message}`;
      deps.tell(pool as unknown as AnyObject, {
        type: 'Warning',
        reason: 'WriteFailed',
        action: 'GrowVolume',
        note,
      });
    }
  }
}
