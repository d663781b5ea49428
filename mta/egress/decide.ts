// Whether a CONNECT is granted, up to what the limits leave: a chain of checks, first refusal wins. Pure.
import { isIP } from 'node:net';
import type { Identity } from '../../process/identity/name.ts';
import { type ConnectRefusal, GRANT_SECONDS } from '../bus/connect.ts';
import { type PoolKey, poolKey } from '../bus/names.ts';
import type { IPPoolSnapshot, PoolSnapshot } from '../bus/snapshot.ts';
import type { PairLimits } from '../policy/limits/pair.ts';
import { type Limits, providerOf, unnamedProvider } from '../policy/provider.ts';
import type { DestinationRule } from './destinations.ts';
import type { EpochBook } from './epochs.ts';
import { pairLimits, strictest } from './limits/policy.ts';
import type { ConnectRequest } from './request.ts';

/** What egress knows at this moment. */
export interface Picture {
  readonly ipPool: IPPoolSnapshot | null;
  readonly pools: ReadonlyMap<PoolKey, PoolSnapshot>;
  readonly epochs: Pick<EpochBook, 'stale' | 'isFenced'>;
  /** Whether this pod holds the address and grants on it. */
  readonly holds: (address: string) => boolean;
  readonly destination: DestinationRule;
}

export interface Grant {
  readonly verdict: 'granted';
  readonly pool: PoolKey;
  /** The caller's pod UID. */
  readonly uid: string;
  readonly provider: string;
  /** What it would be called if no policy named it. */
  readonly unnamed: string;
  /** Of (address, provider), over the fleet. */
  readonly limits: PairLimits;
  readonly seconds: number;
  readonly ehlo: string;
  /** The local address to bind. */
  readonly bind: string;
}
export interface Refusal {
  readonly verdict: 'refused';
  readonly reason: ConnectRefusal;
  readonly message: string;
}

export function decideConnect(
  request: ConnectRequest,
  caller: Identity | null,
  picture: Picture,
): Grant | Refusal {
  if (caller?.role !== 'delivery' || caller.pool === null)
    return refuse('ForbiddenCaller', 'the caller is no delivery pod');
  const key = poolKey(`${caller.namespace}/${caller.pool}`);
  const pool = picture.pools.get(key);
  const { ipPool } = picture;
  if (!ipPool || !pool || !usesIpPool(pool, ipPool))
    return refuse(
      'ForbiddenCaller',
      `pool ${caller.namespace}/${caller.pool} may not use the addresses held here`,
    );
  if (picture.epochs.isFenced(caller.uid)) return refuse('StaleEpoch', `pod ${caller.uid} is fenced`);
  const stale = picture.epochs.stale(key, request.epochs);
  if (stale)
    return refuse('StaleEpoch', `shard ${stale.shard} is at epoch ${stale.known}, not ${stale.epoch}`);
  const address = ipPool.addresses.find((one) => one.address === request.source);
  if (!address || !picture.holds(request.source))
    return refuse('NotHolder', `${request.source} is not held here`);
  const obstacle = isIP(request.host) ? picture.destination(request.host, request.port) : null;
  if (obstacle) return refuse('ForbiddenDestination', obstacle);
  const { name, unnamed, limits } = sharedProvider(picture.pools, ipPool, request);
  return {
    verdict: 'granted',
    pool: key,
    uid: caller.uid,
    provider: name,
    unnamed,
    limits: pairLimits(limits),
    seconds: GRANT_SECONDS,
    ehlo: address.ehlo,
    bind: address.bindAddress ?? address.address,
  };
}

/**
 * Pools that share addresses share what is counted at a destination. So it has one name for all of them, the one of the first policy
 * (by the pool's key) that names it, and the strictest of the limits that their policies have for it.
 */
function sharedProvider(
  pools: Picture['pools'],
  ipPool: IPPoolSnapshot,
  { domain, host }: ConnectRequest,
): { readonly name: string; readonly unnamed: string; readonly limits: Limits } {
  const found = [...pools]
    .filter(([, one]) => usesIpPool(one, ipPool))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, one]) => providerOf(one.policy.shaping, domain, [host]));
  const unnamed = unnamedProvider(domain, [host]);
  const name = found.find((one) => one.isNamed)?.name ?? unnamed;
  return { name, unnamed, limits: found.map(({ limits }) => limits).reduce(strictest) };
}

/** References stay in the namespace; a qualified name is read too. */
export function usesIpPool(pool: PoolSnapshot, ipPool: Pick<IPPoolSnapshot, 'namespace' | 'name'>): boolean {
  const reference = pool.ipPool.includes('/') ? pool.ipPool : `${pool.namespace}/${pool.ipPool}`;
  return reference === `${ipPool.namespace}/${ipPool.name}`;
}

const refuse = (reason: ConnectRefusal, message: string): Refusal => ({
  verdict: 'refused',
  reason,
  message,
});
