// The annotation that says how pods leave, for one drain: told when it cannot be understood, and taken off when the drain is over.
import type { DrainVerdict } from '../decide/drain.ts';
import { DRAIN_MODE_ANNOTATION } from '../desired/names.ts';
import { KINDS } from '../observe/types.ts';
import type { PoolWorld } from '../observe/world.ts';
import type { AnyObject } from '../runtime/objects.ts';
import type { Deps } from './deps.ts';

interface Seen {
  readonly world: Pick<PoolWorld, 'drainModeFault'>;
  readonly drain: DrainVerdict;
  readonly before: { readonly drain: DrainVerdict | null; readonly drainModeFault: string | null } | null;
}

/** Once for each fault; off when nobody leaves any more, be it that all have left or that the drain was cancelled. */
export async function settleDrainMode(
  { api, tell }: Pick<Deps, 'api' | 'tell'>,
  object: AnyObject,
  { world, drain, before }: Seen,
): Promise<void> {
  const { drainModeFault: fault } = world;
  if (fault !== null && fault !== before?.drainModeFault)
    tell(object, { type: 'Warning', reason: 'InvalidDrainMode', action: 'Drain', note: fault });
  const { annotations, uid } = object.metadata;
  if (annotations?.[DRAIN_MODE_ANNOTATION] === undefined) return;
  if (drain.kind !== 'Stay' || before?.drain?.kind !== 'Leave') return;
  const body = { metadata: { uid, annotations: { [DRAIN_MODE_ANNOTATION]: null } } };
  await api.patch(KINDS.SendingPool, object.metadata, { kind: 'merge', body });
}
