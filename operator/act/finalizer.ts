// The finalizer that keeps a SendingPool or IPPool until what it stands for is cleared away.
import { FINALIZER } from '../desired/names.ts';
import { KINDS, type Kind } from '../observe/types.ts';
import { ApiError } from '../runtime/errors.ts';
import type { AnyObject } from '../runtime/objects.ts';
import type { Deps } from './deps.ts';

export const hasFinalizer = ({ metadata }: AnyObject): boolean =>
  metadata.finalizers?.includes(FINALIZER) ?? false;

/** Before anything is made for the resource, so that nothing is left behind. */
export async function holdByFinalizer(deps: Deps, kind: Kind, object: AnyObject): Promise<void> {
  if (!hasFinalizer(object))
    await write(deps, kind, object, [...(object.metadata.finalizers ?? []), FINALIZER]);
}

export async function releaseFinalizer(deps: Deps, kind: Kind, object: AnyObject): Promise<void> {
  if (!hasFinalizer(object)) return;
  const others = (object.metadata.finalizers ?? []).filter((name) => name !== FINALIZER);
  try {
    await write(deps, kind, object, others);
  } catch (error) {
    if (!ApiError.isNotFound(error)) throw error;
  }
}

/** A list of finalizers is written whole, so only over the version that was read. */
async function write(
  deps: Deps,
  kind: Kind,
  { metadata }: AnyObject,
  finalizers: readonly string[],
): Promise<void> {
  const { uid, resourceVersion } = metadata;
  const body = { metadata: { uid, resourceVersion, finalizers } };
  await deps.api.patch(KINDS[kind], metadata, { kind: 'merge', body });
}
