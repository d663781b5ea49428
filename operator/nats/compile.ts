// From resources to the fleet snapshot. Pure. What is invalid gives a problem and no value: the last good one stays.
import type { DomainSnapshot, IPPoolSnapshot, PoolSnapshot } from '../../mta/bus/snapshot.ts';
import { SNAPSHOT_VERSION } from '../../mta/bus/snapshot.ts';
import { bringsUp } from '../../resources/ippool.ts';
import { type QueuePolicySpec, queuePolicySpec } from '../../resources/kinds.ts';
import type { Placement } from '../decide/place.ts';
import { type Fleet, isOlder, type Problem } from '../observe/problems.ts';
import type { IPPool, ObjectMeta, QueuePolicy, SendingDomain, SendingPool } from '../observe/resources.ts';

export type Compiled<T> =
  | { readonly kind: 'Good'; readonly snapshot: T }
  | { readonly kind: 'Bad'; readonly problem: Problem };

const head = ({ namespace, name, uid, generation }: ObjectMeta) =>
  ({ version: SNAPSHOT_VERSION, namespace, name, uid, generation }) as const;

/** Without a QueuePolicy the schema's defaults hold. */
const defaultPolicy = (): QueuePolicySpec => queuePolicySpec.parse({});

/**
 * @param problem what the checks of the resource and its references found (observe/problems.ts).
 * @param previous the last good snapshot: a class that was taken out of the spec stays at weight 1, because mail of it may wait.
 */
export function compilePool(
  pool: SendingPool,
  policy: QueuePolicy | null,
  problem: Problem | null,
  previous: PoolSnapshot | null,
): Compiled<PoolSnapshot> {
  if (problem) return { kind: 'Bad', problem };
  // Also of a pool before it of the same name that was deleted with Retain: its streams are still there.
  if (previous && pool.spec.shards < previous.shards)
    return bad('InvalidSpec', `shards may grow, never shrink: ${previous.shards} are in use`);
  const retired = (previous?.classes ?? []).filter(
    (c) => !pool.spec.classes.some(({ name }) => name === c.name),
  );
  const snapshot: PoolSnapshot = {
    ...head(pool.metadata),
    shards: pool.spec.shards,
    classes: [...pool.spec.classes, ...retired.map(({ name }) => ({ name, weight: 1 }))],
    ipPool: pool.spec.ipPoolRef.name,
    policy: policy?.spec ?? defaultPolicy(),
    intakeClosed: pool.metadata.deletionTimestamp !== undefined,
  };
  return { kind: 'Good', snapshot };
}

const bad = (reason: Problem['reason'], message: string) =>
  ({ kind: 'Bad', problem: { reason, message } }) as const;

/**
 * @param placement null: nodes cannot be read here, and each pod takes what its machine has.
 * @param fleet names the domains that have addresses of this IPPool to themselves.
 */
export function compileIPPool(
  pool: IPPool,
  problem: Problem | null,
  placement: Placement | null,
  fleet: Pick<Fleet, 'pools' | 'domains'>,
): Compiled<IPPoolSnapshot> {
  if (problem) return { kind: 'Bad', problem };
  const { addresses, warmup } = pool.spec;
  const dedicated = dedicatedOf(pool, fleet);
  const { interface: link, segment } = pool.spec.placement;
  const placed = placement?.addresses.flatMap(({ address, nodes }) =>
    nodes ? [[address, nodes] as const] : [],
  );
  const snapshot: IPPoolSnapshot = {
    ...head(pool.metadata),
    addresses,
    ...(warmup && { warmup }),
    ...(Object.keys(dedicated).length > 0 && { dedicated }),
    ...(placed && { placement: Object.fromEntries(placed) }),
    ...(bringsUp(pool.spec) && {
      bringUp: { ...(link && { interface: link }), ...(segment && { segment }) },
    }),
  };
  return { kind: 'Good', snapshot };
}

/**
 * By domain, the addresses that it names, those that the IPPool does not have included: mail of a domain whose addresses are all
 * unknown waits, and never goes by one that is not its own.
 */
function dedicatedOf(
  { metadata }: IPPool,
  { pools, domains }: Pick<Fleet, 'pools' | 'domains'>,
): Record<string, readonly string[]> {
  const users = new Set(
    pools.filter(({ spec }) => spec.ipPoolRef.name === metadata.name).map((pool) => pool.metadata.name),
  );
  const named = domains.filter(({ spec }) => spec.addresses && users.has(spec.poolRef.name));
  // Of two that claim one domain the older counts, as for its snapshot.
  const inOrder = named.toSorted((a, b) => (isOlder(a, b) ? 1 : -1));
  return Object.fromEntries(inOrder.map(({ spec }) => [spec.domain, spec.addresses ?? []]));
}

export interface DkimKey {
  readonly selector: string;
  readonly pem: string;
}

/** @param seal seals a key; given what the last snapshot holds, it returns that text again when it is the same key. */
export function compileDomain(
  domain: SendingDomain,
  keys: readonly DkimKey[],
  problem: Problem | null,
  previous: DomainSnapshot | null,
  seal: (pem: string, sealedBefore: string | null) => string,
): Compiled<DomainSnapshot> {
  if (problem) return { kind: 'Bad', problem };
  const { spec, metadata } = domain;
  const dkim = spec.dkim.flatMap(({ selector, algorithm }) => {
    const key = keys.find((k) => k.selector === selector);
    const before = previous?.dkim.find((k) => k.selector === selector)?.sealedKey ?? null;
    return key ? [{ selector, algorithm, sealedKey: seal(key.pem, before) }] : [];
  });
  if (dkim.length < spec.dkim.length) return bad('KeyMissing', 'a DKIM key is missing');
  const snapshot: DomainSnapshot = {
    ...head(metadata),
    domain: spec.domain,
    pool: `${metadata.namespace}/${spec.poolRef.name}`,
    accounts: spec.accounts,
    returnPath: spec.returnPath ?? null,
    dkim,
  };
  return { kind: 'Good', snapshot };
}
