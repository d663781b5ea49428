// Which addresses of the pool this pod may hold, as the operator has placed them. Pure.
import type { IPPoolSnapshot } from '../bus/snapshot.ts';
import type { Address } from './keepers.ts';

type Placed = Pick<IPPoolSnapshot, 'addresses' | 'placement'> | null;

/** Those that `node` may hold. One that drains is held by nobody new, and by its holder until its connections have ended. */
export const eligible = (ipPool: Placed, node: string): Address[] =>
  (ipPool?.addresses ?? []).filter(
    ({ address, state }) => state !== 'Draining' && (ipPool?.placement?.[address]?.includes(node) ?? true),
  );

/** 0: the node is meant to hold the address; n: it stands by. */
export const rankOf = (ipPool: Placed, address: string, node: string): number =>
  Math.max(0, ipPool?.placement?.[address]?.indexOf(node) ?? 0);
