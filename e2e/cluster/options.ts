// What a caller may ask of a cluster.

export interface SendingAddress {
  readonly address: string;
  /** The node that has it, from 1. */
  readonly node: number;
}

export interface UpOptions {
  /** Default: as many as it has, or 1. */
  readonly nodes?: number;
  /** A namespace with these addresses (192.0.2.x, 203.0.113.x) beside the nodes. Nodes resolve names at `dns`. */
  readonly internet?: { readonly addresses: readonly string[]; readonly dns?: string };
  /** Addresses of nodes besides their own, from which mail is sent (198.51.100.x). */
  readonly sendingAddresses?: readonly SendingAddress[];
  /** Addresses that no node has at first and any may take: they are on the nodes' shared segment (198.51.100.x). */
  readonly movableAddresses?: readonly string[];
  /** What a volume is: a folder (default), or a file system of its own of the size that was asked for, which can fail. */
  readonly volumes?: Volumes;
}

export type Volumes = 'folders' | 'disks';

/** What a cluster was brought up with. */
export interface Shape {
  readonly nodes: number;
  readonly internet: { readonly addresses: readonly string[]; readonly dns: string };
  readonly sendingAddresses: readonly SendingAddress[];
  readonly movableAddresses: readonly string[];
  readonly volumes: Volumes;
}

const DNS = '192.0.2.53';

/** Options with their defaults. @throws RangeError on a node that there is not */
export function shapeOf(options: UpOptions, maxNodes: number): Shape {
  const nodes = options.nodes ?? 1;
  if (!Number.isInteger(nodes) || nodes < 1 || nodes > maxNodes) {
    throw new RangeError(`nodes must be a whole number from 1 to ${maxNodes}, not ${nodes}`);
  }
  const sendingAddresses = options.sendingAddresses ?? [];
  const homeless = sendingAddresses.find(({ node }) => node < 1 || node > nodes);
  if (homeless) throw new RangeError(`${homeless.address} is for node ${homeless.node} of ${nodes}`);
  const addresses = options.internet?.addresses ?? [];
  const movableAddresses = options.movableAddresses ?? [];
  const both = sendingAddresses.find(({ address }) => movableAddresses.includes(address));
  if (both) throw new RangeError(`${both.address} is of node ${both.node} and movable: it can only be one`);
  const internet = { addresses, dns: options.internet?.dns ?? DNS };
  return { nodes, internet, sendingAddresses, movableAddresses, volumes: options.volumes ?? 'folders' };
}

/** Whether a running cluster already is what is asked for; what is not mentioned may be as it is. Pure. */
export function satisfies(shape: Shape, options: UpOptions): boolean {
  const asked = shapeOf({ ...options, nodes: options.nodes ?? shape.nodes }, Number.MAX_SAFE_INTEGER);
  return (
    shape.nodes === asked.nodes &&
    (!options.internet || same(shape.internet, asked.internet)) &&
    (!options.sendingAddresses || same(shape.sendingAddresses, asked.sendingAddresses)) &&
    (!options.movableAddresses || same(shape.movableAddresses, asked.movableAddresses)) &&
    (!options.volumes || same(shape.volumes, asked.volumes))
  );
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
