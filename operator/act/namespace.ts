// Labels the namespace while it holds mail: an admission policy then refuses to delete it.

import { LABELS, USED_ANNOTATION } from '../desired/names.ts';
import type { Result } from '../runtime/controller.ts';
import { TYPES } from '../runtime/objects.ts';
import type { Deps } from './deps.ts';

const HOLDS_MAIL = 'postfleet.io/holds-mail';

/** Mail may be there while a SendingPool is, or a volume that is not proven empty. */
export async function labelNamespace({ api, caches, installation }: Deps): Promise<Result> {
  const name = installation.namespace;
  const used = caches.claims
    .list()
    .some(
      ({ metadata }) =>
        metadata.labels?.[LABELS.pool] !== undefined && metadata.annotations?.[USED_ANNOTATION],
    );
  const wanted = used || caches.sendingPools.list().length > 0 ? 'true' : undefined;
  const { metadata } = await api.get(TYPES.namespaces, { name });
  if (metadata.labels?.[HOLDS_MAIL] !== wanted) {
    const body = { metadata: { labels: { [HOLDS_MAIL]: wanted ?? null } } };
    await api.patch(TYPES.namespaces, { name }, { kind: 'merge', body });
  }
  return { requeueAfterSeconds: 60 };
}
