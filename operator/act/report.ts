// Writes a status, when it differs from what the cache shows.
import { API_VERSION } from '../../resources/kinds.ts';
import { KINDS, type Kind } from '../observe/types.ts';
import { ApiError } from '../runtime/errors.ts';
import type { AnyObject } from '../runtime/objects.ts';
import type { Deps } from './deps.ts';

/** A resource that is gone needs no status. */
export async function writeStatus(deps: Deps, kind: Kind, object: AnyObject, status: object): Promise<void> {
  if (same(status, object.status)) return;
  const { name, namespace } = object.metadata;
  const body = { apiVersion: API_VERSION, kind, metadata: { name, ...(namespace && { namespace }) }, status };
  try {
    await deps.api.applyStatus(KINDS[kind], body);
  } catch (error) {
    if (!ApiError.isNotFound(error)) throw error;
  }
}

/** Whatever the order of fields. */
function same(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b;
  const [x, y] = [a as Record<string, unknown>, b as Record<string, unknown>];
  const keys = (o: Record<string, unknown>) => Object.keys(o).filter((key) => o[key] !== undefined);
  const mine = keys(x);
  return mine.length === keys(y).length && mine.every((key) => same(x[key], y[key]));
}
