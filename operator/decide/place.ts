// Which node is to hold which address, and where egress pods are to run. Pure.
//
// An address that belongs to a node (it names it, or the node's annotation names the address) goes there and nowhere else. One whose
// home nobody has said is looked for: an egress pod on every selected node takes what its machine has. A movable address goes to
// the node with the fewest, and stays where it is for as long as that node can have it: a move breaks connections, so evenness
// alone is no reason for one. Beside its node each movable address has another that stands by with a running pod: when the
// lease ends that one takes over without asking anybody, so a lost node costs the lease time also while the operator is away.
import type { Reason } from '../../resources/reasons.ts';

export interface PlaceAddress {
  readonly address: string;
  /** Egress brings it up wherever it has the lease. */
  readonly movable: boolean;
  /** The node that the spec names. */
  readonly node: string | null;
  readonly draining: boolean;
}

export interface PlaceNode {
  readonly name: string;
  readonly ready: boolean;
  /** Not cordoned. */
  readonly schedulable: boolean;
  /** Matches the pool's nodeSelector. */
  readonly selected: boolean;
  /** Addresses that its annotation says it has. */
  readonly addresses: readonly string[];
  readonly pod: 'None' | 'Starting' | 'Ready' | 'Settled';
}

export interface PlaceWorld {
  readonly addresses: readonly PlaceAddress[];
  readonly nodes: readonly PlaceNode[];
  /** The node of each address's present holder. */
  readonly holders: ReadonlyMap<string, string>;
  /** The node of its last holder, which may have given it up. */
  readonly last: ReadonlyMap<string, string>;
  readonly maxPerNode: number;
}

export interface PlaceProblem {
  readonly reason: Reason;
  readonly message: string;
}

export interface PlacedAddress {
  readonly address: string;
  /** Nodes whose pods may hold it, the first before the others; null: whichever has it. */
  readonly nodes: readonly string[] | null;
  readonly problem: PlaceProblem | null;
}

export interface Placement {
  readonly addresses: readonly PlacedAddress[];
  /** Nodes that need an egress pod, sorted. */
  readonly podNodes: readonly string[];
}

export function place(world: PlaceWorld): Placement {
  const table = new Table(world);
  const verdicts = new Map<string, PlacedAddress>();
  for (const one of inOrder(world)) verdicts.set(one.address, verdictFor(one, table));
  const addresses = world.addresses.map((one) => withStandby(one, verdicts.get(one.address), table));
  return { addresses, podNodes: podNodes(world, addresses) };
}

/** First what belongs to a node, then what stays where it is, then what leaves a cordoned node, then the rest in the order of the spec. */
function inOrder(world: PlaceWorld): PlaceAddress[] {
  const { addresses, nodes } = world;
  const stays = new Map(nodes.filter(isUsable).map(({ name, schedulable }) => [name, schedulable ? 0 : 1]));
  const rank = (one: PlaceAddress) =>
    (one.movable ? 3 : 0) + (stays.get(seatOf(world, one.address) ?? '') ?? 2);
  return addresses.toSorted((a, b) => rank(a) - rank(b));
}

function verdictFor(one: PlaceAddress, table: Table): PlacedAddress {
  const { address } = one;
  const holder = table.world.holders.get(address);
  // It is given up where it is; nobody else begins with it.
  if (one.draining)
    return { address, nodes: holder === undefined ? [] : [table.take(holder)], problem: null };
  if (one.movable) return movable(one, table);
  const homes = one.node === null ? table.annotated(address) : [one.node];
  if (homes.length > 0) return atHome(address, homes, table);
  if (holder !== undefined) table.take(holder);
  const none = table.world.nodes.some(isUsable)
    ? null
    : noNode('no ready node matches placement.nodeSelector');
  return { address, nodes: null, problem: none };
}

function atHome(address: string, homes: readonly string[], table: Table): PlacedAddress {
  const judged = homes.map((name) => ({ name, problem: table.problemOf(name) }));
  const good = judged.filter(({ problem }) => problem === null).map(({ name }) => name);
  const holder = table.world.holders.get(address);
  const chosen = good.find((name) => name === holder) ?? table.least(good);
  if (chosen !== null) return { address, nodes: [table.take(chosen)], problem: null };
  const [first] = judged;
  const nodes = first && first.problem?.reason === 'NodeNotReady' ? [first.name] : [];
  return { address, nodes, problem: first?.problem ?? null };
}

function movable({ address }: PlaceAddress, table: Table): PlacedAddress {
  const { nodes, last } = table.world;
  const usable = nodes.filter(isUsable);
  if (usable.length === 0)
    return { address, nodes: [], problem: noNode('no ready node matches placement.nodeSelector') };
  const open = usable.filter(({ schedulable }) => schedulable);
  const seat = seatOf(table.world, address);
  const here = usable.find(({ name }) => name === seat && table.hasRoom(name));
  // One that was never held waits for its pod: the first pod that happens to be ready does not get them all.
  const better = table.least(open.filter((node) => runs(node) || !last.has(address)).map(nameOf));
  const stays = here && (here.schedulable || better === null) ? here.name : null;
  const chosen = stays ?? better ?? table.least(open.map(nameOf)) ?? table.least(usable.map(nameOf));
  if (chosen === null)
    return { address, nodes: [], problem: full(usable.map(nameOf), table.world.maxPerNode) };
  return { address, nodes: [table.take(chosen)], problem: null };
}

/** Where an address is, or was until a moment ago: from a pod to its successor on the same node it belongs to neither for an instant. */
function seatOf({ holders, last, nodes }: PlaceWorld, address: string): string | undefined {
  const before = nodes.find(({ name }) => name === last.get(address));
  return holders.get(address) ?? (before && runs(before) ? before.name : undefined);
}

/** When all have their places it is seen who has room for whose addresses. */
function withStandby(one: PlaceAddress, placed: PlacedAddress | undefined, table: Table): PlacedAddress {
  const { address } = one;
  if (!placed) return { address, nodes: [], problem: null };
  const [first] = placed.nodes ?? [];
  if (!one.movable || one.draining || first === undefined) return placed;
  const open = table.world.nodes.filter((node) => isUsable(node) && node.schedulable);
  const standby = table.standbyFor(first, open.map(nameOf));
  return standby === null ? placed : { ...placed, nodes: [first, standby] };
}

/** Who has how many addresses so far. */
class Table {
  readonly world: PlaceWorld;
  readonly #taken = new Map<string, number>();
  /** How many a node would have to take over from another, by `other node`. */
  readonly #standby = new Map<string, number>();

  constructor(world: PlaceWorld) {
    this.world = world;
  }

  take(node: string): string {
    this.#taken.set(node, this.#load(node) + 1);
    return node;
  }

  hasRoom(node: string): boolean {
    return this.#load(node) < this.world.maxPerNode;
  }

  /** The one with the fewest addresses that has room for one more; the first by name of several. */
  least(nodes: readonly string[]): string | null {
    return (
      nodes
        .filter((node) => this.hasRoom(node))
        .toSorted((a, b) => this.#load(a) - this.#load(b) || order(a, b))[0] ?? null
    );
  }

  standbyFor(node: string, candidates: readonly string[]): string | null {
    const key = (other: string) => `${node} ${other}`;
    const load = (other: string) => this.#load(other) + (this.#standby.get(key(other)) ?? 0);
    const found = candidates
      .filter((other) => other !== node && load(other) < this.world.maxPerNode)
      .toSorted((a, b) => load(a) - load(b) || order(a, b))[0];
    if (found === undefined) return null;
    this.#standby.set(key(found), (this.#standby.get(key(found)) ?? 0) + 1);
    return found;
  }

  annotated(address: string): string[] {
    return this.world.nodes.filter(({ addresses }) => addresses.includes(address)).map(nameOf);
  }

  problemOf(name: string): PlaceProblem | null {
    const node = this.world.nodes.find((one) => one.name === name);
    if (!node)
      return { reason: 'NodeNotFound', message: `there is no node ${name}: name the node that has it` };
    if (!node.selected)
      return { reason: 'NodeNotSelected', message: `node ${name} does not match placement.nodeSelector` };
    if (!node.ready)
      return { reason: 'NodeNotReady', message: `node ${name}, which has it, is not ready: bring it back` };
    if (!node.schedulable && (node.pod === 'None' || node.pod === 'Starting'))
      return { reason: 'NodeNotReady', message: `node ${name}, which has it, is cordoned: uncordon it` };
    return this.hasRoom(name) ? null : full([name], this.world.maxPerNode);
  }

  #load(node: string): number {
    return this.#taken.get(node) ?? 0;
  }
}

/**
 * Where pods are needed: where an address is, is to be or may come, and while one without a known home is nowhere, on every node that
 * could have it. A holder that only restarts is not looked for elsewhere.
 */
function podNodes({ nodes, holders, last }: PlaceWorld, placed: readonly PlacedAddress[]): string[] {
  const wanted = new Set(holders.values());
  for (const one of placed) {
    for (const node of one.nodes ?? []) wanted.add(node);
    if (one.nodes !== null || holders.has(one.address)) continue;
    const before = nodes.find(({ name }) => name === last.get(one.address));
    if (before && isUsable(before) && before.pod !== 'Settled') wanted.add(before.name);
    else for (const node of nodes.filter(isUsable)) wanted.add(node.name);
  }
  return nodes
    .map(nameOf)
    .filter((name) => wanted.has(name))
    .toSorted(order);
}

const runs = ({ pod }: PlaceNode): boolean => pod === 'Ready' || pod === 'Settled';
const isUsable = ({ ready, selected }: PlaceNode): boolean => ready && selected;
const nameOf = ({ name }: PlaceNode): string => name;
const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
const noNode = (message: string): PlaceProblem => ({ reason: 'NoNodeForAddress', message });
const full = (nodes: readonly string[], most: number): PlaceProblem => ({
  reason: 'NodesFull',
  message: `${nodes.join(', ')} hold ${most} addresses each, which is placement.maxAddressesPerNode: add a node or raise it`,
});
