// What the reflectors know, as observe reads it.
import type { AnyObject, Key } from '../runtime/objects.ts';

export interface Store {
  get(key: Key): AnyObject | undefined;
  list(): readonly AnyObject[];
}

export interface Caches {
  readonly sendingPools: Store;
  readonly ipPools: Store;
  readonly queuePolicies: Store;
  readonly sendingDomains: Store;
  readonly statefulSets: Store;
  readonly pods: Store;
  readonly claims: Store;
  /** In the egress namespace. */
  readonly deployments: Store;
  readonly egressPods: Store;
  /** null: this installation may not read nodes. */
  readonly nodes: Store | null;
}
