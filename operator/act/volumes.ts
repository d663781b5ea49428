// Growing spool volumes. The claim template of a StatefulSet cannot be changed, so claims are grown one by one, and new
// ones right after they appear.
import { quantityBytes } from '../../resources/quantity.ts';
import { deliveryName } from '../desired/names.ts';
import type { SendingPool } from '../observe/resources.ts';
import { isSpoolOf } from '../observe/views.ts';
import type { ClaimSize } from '../report/storage-size.ts';
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

/** What the API server said to a request for more space, by the claim as it stood: a claim that changes is a new object. */
const refusals = new WeakMap<
  AnyObject,
  { readonly at: number; readonly size: string; readonly message: string }
>();
/** A storage class may be changed to allow it, of which the claim tells nothing. */
const ASK_AGAIN_MS = 60_000;

/** Asks for more space on claims that have less than the pool wants. @returns why one cannot grow, or null. */
export async function growVolumes(
  deps: Pick<Deps, 'api' | 'caches' | 'now'>,
  pool: SendingPool,
): Promise<string | null> {
  const { size } = pool.spec.storage;
  const small = claimsOf(deps, pool).filter((claim) => {
    const now = sizeOf(claim.spec as ClaimSpec);
    return now !== null && quantityBytes(now) < quantityBytes(size);
  });
  const answers = await Promise.all(small.map((claim) => grow(deps, claim, size)));
  return answers.find((refusal) => refusal !== null) ?? null;
}

const claimsOf = ({ caches }: Pick<Deps, 'caches'>, { metadata: { name } }: SendingPool): AnyObject[] =>
  caches.claims.list().filter((claim) => isSpoolOf(claim, name, deliveryName(name)));

async function grow(
  { api, now }: Pick<Deps, 'api' | 'now'>,
  claim: AnyObject,
  size: string,
): Promise<string | null> {
  const before = refusals.get(claim);
  if (before?.size === size && now() - before.at < ASK_AGAIN_MS) return before.message;
  const body = {
    metadata: { uid: claim.metadata.uid },
    spec: { resources: { requests: { storage: size } } },
  };
  try {
    await api.patch(TYPES.persistentVolumeClaims, claim.metadata, { kind: 'merge', body });
    return null;
  } catch (error) {
    if (!ApiError.isForbidden(error) && !ApiError.isInvalid(error)) throw error;
    // The API server shows the whole difference below the first line.
    const [why] = (error as Error).message.split('\n');
    const message = `${claim.metadata.name} cannot grow to ${size}: ${why}`;
    refusals.set(claim, { at: now(), size, message });
    return message;
  }
}

/** The sizes of the pool's claims, for its status. */
export const claimSizes = (deps: Pick<Deps, 'caches'>, pool: SendingPool): ClaimSize[] =>
  claimsOf(deps, pool).map((claim) => ({
    name: claim.metadata.name,
    requested: sizeOf(claim.spec as ClaimSpec) ?? '0',
    capacity: (claim.status as { capacity?: { storage?: string } } | undefined)?.capacity?.storage ?? null,
  }));
