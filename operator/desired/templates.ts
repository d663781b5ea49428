// The pod templates of a StatefulSet: the wanted one, and the last one that all pods had, which is kept beside it as an
// annotation, so that it can be applied again to the byte.
import { createHash } from 'node:crypto';
import type { AnyObject } from '../runtime/objects.ts';
import type { Manifest } from './settings.ts';

const APPLIED_ANNOTATION = 'postfleet.io/template';
const GOOD_ANNOTATION = 'postfleet.io/good-template';

export interface KnownTemplates {
  /** Identity of the one that was applied last; null: by a release that does not say. */
  readonly applied: string | null;
  /** The last one that all pods had. */
  readonly good: object | null;
}

/** A short identity of anything that is plain JSON. */
export const identityOf = (...what: unknown[]): string =>
  createHash('sha256').update(JSON.stringify(what)).digest('hex').slice(0, 16);

export const templateOf = (built: Manifest): object => (built.spec as { template: object }).template;

export function knownTemplates(set: AnyObject | undefined): KnownTemplates {
  const annotations = set?.metadata.annotations ?? {};
  const good = annotations[GOOD_ANNOTATION];
  return { applied: annotations[APPLIED_ANNOTATION] ?? null, good: good ? JSON.parse(good) : null };
}

/** The StatefulSet with this template, and with a note of it and of the good one. */
export function withTemplate(built: Manifest, template: object, good: object | null): Manifest {
  const annotations = {
    [APPLIED_ANNOTATION]: identityOf(template),
    ...(good && { [GOOD_ANNOTATION]: JSON.stringify(good) }),
  };
  const spec = { ...(built.spec as object), template };
  return { ...built, metadata: { ...built.metadata, annotations }, spec };
}
