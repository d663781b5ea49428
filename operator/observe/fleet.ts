// The four kinds as the caches hold them, each parsed once. What does not pass its schema stays out of the fleet.
import { API_VERSION } from '../../resources/kinds.ts';
import {
  describeErrors,
  type Validated,
  validateIPPool,
  validateQueuePolicy,
  validateSendingDomain,
  validateSendingPool,
} from '../../resources/validate.ts';
import type { AnyObject } from '../runtime/objects.ts';
import type { Caches, Store } from './caches.ts';
import type { Fleet, Problem } from './problems.ts';
import type { IPPool, ObjectMeta, QueuePolicy, Resource, SendingDomain, SendingPool } from './resources.ts';
import type { Kind } from './types.ts';

export type Parsed<R> =
  | { readonly kind: 'Valid'; readonly resource: R }
  | { readonly kind: 'Invalid'; readonly problem: Problem };

/** Objects in caches are shared and never change, so a parse is remembered for as long as the object lives. */
function parser<R extends Resource<unknown, unknown>>(
  kind: string,
  validate: (spec: unknown) => Validated<R['spec']>,
) {
  const known = new WeakMap<AnyObject, Parsed<R>>();
  return (object: AnyObject): Parsed<R> => {
    const before = known.get(object);
    if (before) return before;
    const checked = validate(object.spec ?? {});
    const parsed: Parsed<R> = checked.valid
      ? { kind: 'Valid', resource: { ...object, kind, spec: checked.spec } as unknown as R }
      : { kind: 'Invalid', problem: { reason: 'InvalidSpec', message: describeErrors(checked.errors) } };
    known.set(object, parsed);
    return parsed;
  };
}

export const parseSendingPool = parser<SendingPool>('SendingPool', (spec) => validateSendingPool(spec));
export const parseIPPool = parser<IPPool>('IPPool', (spec) => validateIPPool(spec));
export const parseQueuePolicy = parser<QueuePolicy>('QueuePolicy', (spec) => validateQueuePolicy(spec));
export const parseSendingDomain = parser<SendingDomain>('SendingDomain', (spec) =>
  validateSendingDomain(spec),
);

const valid = <R>(store: Store, parse: (object: AnyObject) => Parsed<R>): R[] =>
  store.list().flatMap((object) => {
    const parsed = parse(object);
    return parsed.kind === 'Valid' ? [parsed.resource] : [];
  });

export const readFleet = (caches: Caches): Fleet => ({
  pools: valid(caches.sendingPools, parseSendingPool),
  ipPools: valid(caches.ipPools, parseIPPool),
  policies: valid(caches.queuePolicies, parseQueuePolicy),
  domains: valid(caches.sendingDomains, parseSendingDomain),
});

/** Metadata of an object that came from the API server, which always fills in UID and versions. */
export const metaOf = (object: AnyObject): ObjectMeta => object.metadata as ObjectMeta;

const identifiedObjects = new WeakMap<AnyObject, AnyObject>();

/** Items of a list say neither apiVersion nor kind; events and status need both. The same object gives the same answer. */
export function identified(object: AnyObject, kind: Kind): AnyObject {
  const known = identifiedObjects.get(object) ?? { ...object, apiVersion: API_VERSION, kind };
  identifiedObjects.set(object, known);
  return known;
}
