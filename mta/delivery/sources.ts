// Which source addresses to send from, in order. Pure; the random number is passed in.
import type { AddressLease, IPPoolSnapshot } from '../bus/snapshot.ts';

export interface Source {
  readonly address: string;
  readonly lease: AddressLease;
}

/**
 * The addresses of the pool that an egress pod holds, best first: the one the recipient was greeted from last (a greylisted
 * message must return from it), then by chance in proportion to the weights. Weight 0 takes no new mail, but what is bound to it
 * still returns from it.
 * @param random gives numbers in [0, 1).
 */
export function rankSources(
  addresses: IPPoolSnapshot['addresses'],
  leases: ReadonlyMap<string, AddressLease>,
  sticky: string | null,
  random: () => number,
): Source[] {
  const ranked: { readonly source: Source; readonly rank: number }[] = [];
  for (const { address, weight } of addresses) {
    const lease = leases.get(address);
    if (!lease || lease.released || lease.leaving || lease.unfit) continue;
    // Exponential spacing with the weight as rate: the order is that of weighted draws without replacement.
    const rank =
      address === sticky ? -1 : weight > 0 ? -Math.log(1 - random()) / weight : Number.POSITIVE_INFINITY;
    if (Number.isFinite(rank)) ranked.push({ source: { address, lease }, rank });
  }
  return ranked.sort((a, b) => a.rank - b.rank).map(({ source }) => source);
}
