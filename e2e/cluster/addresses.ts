// The cluster's addresses. Only 10.84.x.0/24 is seen by the host, so x differs between clusters; pods and services live in
// namespaces and are the same everywhere.

export interface Addresses {
  readonly host: string;
  readonly internet: string;
  readonly control: string;
  node(n: number): string;
}

export const SERVICES = '10.96.0.0/16';
export const API_SERVICE = '10.96.0.1';
export const PODS = '10.85.0.0/16';
/** More would overlap with nothing, but no machine that runs this could carry them. */
export const MAX_NODES = 200;

/** The pods' network of a node. */
export const podsOf = (node: number): string => `10.85.${node}.0/24`;

/** Addresses of the cluster with that subnet index. */
export function addressesOf(index: number): Addresses {
  const at = (last: number) => `10.84.${index}.${last}`;
  return { host: at(1), internet: at(2), control: at(10), node: (n) => at(10 + n) };
}

/**
 * The first subnet index that nobody uses.
 * @param recorded indexes of this machine's other clusters
 * @param routes destinations of the host's routes (`10.84.3.0/24`): other users' clusters, VPNs
 * @throws Error when all 256 are taken
 */
export function freeIndex(recorded: readonly number[], routes: readonly string[]): number {
  const taken = new Set(recorded);
  for (const route of routes) for (const index of indexesIn(route)) taken.add(index);
  for (let index = 0; index < 256; index++) if (!taken.has(index)) return index;
  throw new Error('no free network 10.84.x.0/24 is left: bring down a cluster of another checkout');
}

/** Indexes whose /24 the destination overlaps. The default route takes nothing. */
function indexesIn(destination: string): number[] {
  const match = /^(\d+)\.(\d+)\.(\d+)\.\d+(?:\/(\d+))?$/.exec(destination);
  if (!match) return [];
  const bits = Number(match[4] ?? 32);
  const [first, second, third] = [Number(match[1]), Number(match[2]), Number(match[3])];
  if (bits >= 24) return first === 10 && second === 84 ? [third] : [];
  const mask = bits === 0 ? 0 : (0xffffff << (24 - bits)) & 0xffffff;
  const network = (first << 16) | (second << 8) | third;
  const all = Array.from({ length: 256 }, (_, index) => index);
  return bits === 0
    ? []
    : all.filter((index) => (((10 << 16) | (84 << 8) | index) & mask) === (network & mask));
}
