// What is wrong between resources: references to what does not exist, an address or a domain claimed twice. Pure.
// The younger of two claimants is wrong, so that a mistake never takes a working resource down.
import type { Reason } from '../../resources/reasons.ts';
import type { IPPool, QueuePolicy, SendingDomain, SendingPool } from './resources.ts';

/** Why a resource does not count as it is; its last good state stays in force. */
export interface Problem {
  readonly reason: Reason;
  readonly message: string;
}

/** All valid resources of the namespace. */
export interface Fleet {
  readonly pools: readonly SendingPool[];
  readonly ipPools: readonly IPPool[];
  readonly policies: readonly QueuePolicy[];
  readonly domains: readonly SendingDomain[];
}

const named = <T extends { metadata: { name: string } }>(list: readonly T[], name: string): T | undefined =>
  list.find(({ metadata }) => metadata.name === name);

export function poolProblem({ spec }: SendingPool, fleet: Fleet): Problem | null {
  if (!named(fleet.ipPools, spec.ipPoolRef.name))
    return { reason: 'IPPoolNotFound', message: `there is no valid IPPool "${spec.ipPoolRef.name}"` };
  const policy = spec.queuePolicyRef?.name;
  if (policy !== undefined && !named(fleet.policies, policy))
    return { reason: 'PolicyNotFound', message: `there is no valid QueuePolicy "${policy}"` };
  return null;
}

type Aged = { readonly metadata: { readonly name: string; readonly creationTimestamp?: string } };

/** Creation decides, then the name. */
export function isOlder(a: Aged, b: Aged): boolean {
  const [x, y] = [a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? ''];
  return x === y ? a.metadata.name < b.metadata.name : x < y;
}

export function ipPoolProblem(pool: IPPool, fleet: Fleet): Problem | null {
  const mine = new Set(pool.spec.addresses.map(({ address }) => address));
  for (const other of fleet.ipPools) {
    if (other.metadata.name === pool.metadata.name || !isOlder(other, pool)) continue;
    const twice = other.spec.addresses.find(({ address }) => mine.has(address));
    if (twice)
      return {
        reason: 'AddressInTwoPools',
        message: `${twice.address} belongs to IPPool "${other.metadata.name}"; an address belongs to one IPPool`,
      };
  }
  return null;
}

export function domainProblem(domain: SendingDomain, fleet: Fleet): Problem | null {
  const { poolRef, domain: name } = domain.spec;
  const other = fleet.domains.find((d) => d.spec.domain === name && isOlder(d, domain));
  if (other && other.metadata.name !== domain.metadata.name)
    return {
      reason: 'DomainInTwoResources',
      message: `SendingDomain "${other.metadata.name}" already has ${name}`,
    };
  if (!named(fleet.pools, poolRef.name))
    return { reason: 'PoolNotFound', message: `there is no valid SendingPool "${poolRef.name}"` };
  return dedicatedProblem(domain, fleet);
}

function dedicatedProblem({ spec }: SendingDomain, fleet: Fleet): Problem | null {
  const name = named(fleet.pools, spec.poolRef.name)?.spec.ipPoolRef.name ?? '';
  const ipPool = named(fleet.ipPools, name);
  const has = new Set(ipPool?.spec.addresses.map(({ address }) => address));
  const unknown = spec.addresses?.find((address) => !has.has(address));
  if (unknown === undefined) return null;
  return {
    reason: 'AddressNotInPool',
    message: `${unknown} is to be dedicated, but IPPool "${name}" does not have it`,
  };
}
