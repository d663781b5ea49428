// The names of everything in NATS. Pools are namespaced, Kubernetes names have no underscore, so `namespace_name` is unambiguous.

/** A pool as the bus names it: `namespace_name`. */
export type PoolKey = string & { readonly brand: 'PoolKey' };

/** `namespace/name` → `namespace_name`. */
export function poolKey(namespacedName: string): PoolKey {
  return namespacedName.replace('/', '_') as PoolKey;
}

export const mailStream = (pool: PoolKey, shard: number): string => `MAIL_${pool}_${shard}`;
export const mailSubjects = (pool: PoolKey, shard: number): string => `mail.${pool}.${shard}.*`;
export const mailSubject = (pool: PoolKey, shard: number, priorityClass: string): string =>
  `mail.${pool}.${shard}.${priorityClass}`;

/** The class of transfers between pods: below every class of the pool. It is also the name of its durable consumer. */
export const TRANSFER_CLASS = 'transfer';

/** What the owners of a pool's shards have acknowledged within a day (mta/delivery/memory): one subject a shard. */
export const memoryStream = (pool: PoolKey): string => `MEMORY_${pool}`;
export const memorySubjects = (pool: PoolKey): string => `memory.${pool}.*`;
export const memorySubject = (pool: PoolKey, shard: number): string => `memory.${pool}.${shard}`;

/** Bounces to be made and signed by ingress: work queue, one durable consumer `ingress`, subject `bounce.<poolKey>`. */
export const BOUNCE_STREAM = 'BOUNCES';
export const BOUNCE_CONSUMER = 'ingress';
export const bounceSubject = (pool: PoolKey): string => `bounce.${pool}`;

/** KV bucket of the fleet snapshot: only the operator writes. */
export const FLEET_BUCKET = 'fleet';
export const poolSnapshotKey = (pool: PoolKey): string => `pool.${pool}`;
export const ipPoolSnapshotKey = (namespace: string, name: string): string => `ippool.${namespace}_${name}`;
export const domainSnapshotKey = (domain: string): string => `domain.${domain}`;
export const assignmentKey = (pool: PoolKey): string => `assignment.${pool}`;

/** KV bucket of warm-up ledgers: egress writes them, the operator deletes those whose time is over. */
export const WARMUP_BUCKET = 'warmup';
export const warmupKey = (address: string, provider: string): string =>
  `warmup.${keyToken(address)}.${keyToken(provider)}`;
/** The keys of all ledgers of an address. */
export const warmupKeys = (address: string): string => `warmup.${keyToken(address)}.>`;
/** KV bucket of complaints (complaint.ts), one key each: whoever hears of one files it, egress counts it. Forgets after a week. */
export const COMPLAINTS_BUCKET = 'complaints';
export const complaintKey = (address: string, provider: string, id: string): string =>
  `complaint.${keyToken(address)}.${keyToken(provider)}.${id}`;
/** The keys of all complaints about an address. */
export const complaintKeys = (address: string): string => `complaint.${keyToken(address)}.>`;
/** What a KV key may not have (the colons of IPv6, whatever a host calls itself) becomes a dash. */
const keyToken = (text: string): string => text.replace(/[^A-Za-z0-9_.-]/g, '-').replace(/\.(?=\.|$)/g, '.-');

/** KV bucket of what has been used of limits: only egress writes. Forgets after two days, twice the longest window. */
export const LIMITS_BUCKET = 'limits';
export const limitsKey = (address: string, provider: string): string =>
  `limits.${keyToken(address)}.${keyToken(provider)}`;

/** Of caps over all addresses of an IPPool (`namespace/name`); no address is called so. */
export const poolLimitsKey = (ipPool: string, provider: string): string =>
  `limits.pool.${ipPool.replace('/', '_')}.${keyToken(provider)}`;

/** KV bucket of address leases: only egress writes. */
export const LEASE_BUCKET = 'leases';
/** IPv6 has colons, which a KV key may not have. */
export const leaseKey = (address: string): string => `address.${address.replaceAll(':', '-')}`;
/** Which egress pod of an IPPool (`namespace/name`) lends the caps over the pool: in the same bucket, in the same form. */
export const lenderKey = (ipPool: string): string => `lender.${ipPool.replace('/', '_')}`;
