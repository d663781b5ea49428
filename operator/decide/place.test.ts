import fc from 'fast-check';
import { type PlaceAddress, type PlaceNode, type PlaceWorld, place } from './place.ts';

const node = (name: string, over: Partial<PlaceNode> = {}): PlaceNode => ({
  ...{ name, ready: true, schedulable: true, selected: true, addresses: [], pod: 'Settled' },
  ...over,
});
const fixed = (address: string, home: string | null = null): PlaceAddress => ({
  ...{ address, movable: false, node: home, draining: false },
});
const moving = (address: string): PlaceAddress => ({ ...fixed(address), movable: true });
const world = (over: Partial<PlaceWorld>): PlaceWorld => ({
  addresses: [],
  nodes: [node('a'), node('b'), node('c')],
  holders: new Map(),
  last: new Map(),
  maxPerNode: Number.POSITIVE_INFINITY,
  ...over,
});
const placed = (over: Partial<PlaceWorld>) => {
  const { addresses, podNodes } = place(world(over));
  const words = addresses.map(
    ({ nodes, problem }) => problem?.reason ?? (nodes === null ? 'anywhere' : nodes.join('>')),
  );
  return `${words.join(' ')} | ${podNodes.join(' ')}`;
};
const held = (...pairs: (readonly [string, string])[]) => {
  const holders = new Map(pairs);
  return { holders, last: holders };
};

describe('an address that belongs to a node', () => {
  const two = [node('a', { addresses: ['x'] }), node('b', { addresses: ['x'] })];
  test.each<[string, Partial<PlaceWorld>, string]>([
    ['goes where it names', { addresses: [fixed('x', 'b')] }, 'b | b'],
    ['goes where an annotation names it', { addresses: [fixed('x')], nodes: two.slice(1) }, 'b | b'],
    ['named by two, goes to one', { addresses: [fixed('x')], nodes: two }, 'a | a'],
    ['named by two, stays', { addresses: [fixed('x')], nodes: two, ...held(['x', 'b']) }, 'b | b'],
    ['names a node that is not there', { addresses: [fixed('x', 'z')] }, 'NodeNotFound | '],
    [
      'names one outside the selector',
      { addresses: [fixed('x', 'a')], nodes: [node('a', { selected: false })] },
      'NodeNotSelected | ',
    ],
    [
      'waits for its node',
      { addresses: [fixed('x', 'a')], nodes: [node('a', { ready: false })] },
      'NodeNotReady | a',
    ],
    [
      'stays at a cordoned node whose pod still runs',
      { addresses: [fixed('x', 'a')], nodes: [node('a', { schedulable: false })] },
      'a | a',
    ],
    [
      'waits for a cordoned node whose pod is gone',
      { addresses: [fixed('x', 'a')], nodes: [node('a', { schedulable: false, pod: 'Starting' })] },
      'NodeNotReady | a',
    ],
    [
      'finds its node full, and the one before keeps its place',
      { addresses: [fixed('x', 'a'), fixed('y', 'a')], maxPerNode: 1, ...held(['y', 'a']) },
      'NodesFull a | a',
    ],
  ])('%s', (_, over, expected) => expect(placed(over)).toBe(expected));
});

describe('an address whose home nobody has said', () => {
  const one = { addresses: [fixed('x')] };
  test.each<[string, Partial<PlaceWorld>, string]>([
    ['is looked for on every node', one, 'anywhere | a b c'],
    [
      'but not on those that cannot have it',
      { ...one, nodes: [node('a'), node('b', { ready: false })] },
      'anywhere | a',
    ],
    ['found: no pods elsewhere', { ...one, ...held(['x', 'b']) }, 'anywhere | b'],
    [
      'its holder restarts: it is not looked for',
      { ...one, last: new Map([['x', 'b']]), nodes: [node('a'), node('b', { pod: 'Starting' })] },
      'anywhere | b',
    ],
    ['its last holder does not take it again', { ...one, last: new Map([['x', 'b']]) }, 'anywhere | a b c'],
    ['no node at all', { ...one, nodes: [node('a', { selected: false })] }, 'NoNodeForAddress | '],
  ])('%s', (_, over, expected) => expect(placed(over)).toBe(expected));
});

describe('a movable address', () => {
  const three = { addresses: [moving('x'), moving('y'), moving('z')] };
  test.each<[string, Partial<PlaceWorld>, string]>([
    ['each has a node, and another stands by', three, 'a>b b>a c>a | a b c'],
    ['one node: nobody stands by', { ...three, nodes: [node('a')] }, 'a a a | a'],
    [
      'it stays, however uneven',
      { ...three, ...held(['x', 'c'], ['y', 'c'], ['z', 'c']) },
      'c>a c>b c>a | a b c',
    ],
    [
      'new ones are spread, also while only one pod is ready',
      { ...three, nodes: [node('a', { pod: 'None' }), node('b'), node('c', { pod: 'None' })] },
      'a>b b>a c>a | a b c',
    ],
    [
      'one whose holder is gone goes to a pod that runs',
      {
        addresses: [moving('x')],
        nodes: [node('a', { pod: 'None' }), node('b')],
        last: new Map([['x', 'z']]),
      },
      'b>a | a b',
    ],
    [
      'between two pods of a node it stays with the node',
      { ...three, ...held(['x', 'c'], ['y', 'c']), holders: new Map() },
      'c>b c>a a>b | a b c',
    ],
    [
      'its node is lost: to those that are left',
      {
        ...three,
        nodes: [node('a', { ready: false }), node('b'), node('c')],
        ...held(['x', 'a'], ['y', 'b']),
      },
      'c>b b>c b>c | a b c',
    ],
    [
      'its node is cordoned: it moves, to a pod that runs',
      {
        addresses: [moving('x')],
        nodes: [node('a', { schedulable: false }), node('b', { pod: 'Starting' }), node('c')],
        ...held(['x', 'a']),
      },
      'c>b | a b c',
    ],
    [
      'its node is cordoned and no other pod runs yet: it stays until one does',
      {
        addresses: [moving('x')],
        nodes: [node('a', { schedulable: false }), node('b', { pod: 'None' })],
        ...held(['x', 'a']),
      },
      'a>b | a b',
    ],
    ['all nodes are full', { ...three, nodes: [node('a'), node('b')], maxPerNode: 1 }, 'a b NodesFull | a b'],
    ['no node', { addresses: [moving('x')], nodes: [node('a', { ready: false })] }, 'NoNodeForAddress | '],
    ['beside one that belongs to a node', { addresses: [moving('x'), fixed('y', 'a')] }, 'b>c a | a b c'],
  ])('%s', (_, over, expected) => expect(placed(over)).toBe(expected));
});

test('an address that drains ends where it is, and nobody begins with it', () => {
  const x = { ...moving('x'), draining: true };
  expect(placed({ addresses: [x], ...held(['x', 'b']) })).toBe('b | b');
  expect(placed({ addresses: [x] })).toBe(' | ');
});

const names = ['a', 'b', 'c', 'd'];
const anyWorld = fc.record({
  nodes: fc.tuple(
    ...names.map((name) =>
      fc.record({
        name: fc.constant(name),
        ready: fc.boolean(),
        schedulable: fc.boolean(),
        selected: fc.boolean(),
        addresses: fc.subarray(['f0', 'f1']),
        pod: fc.constantFrom('None' as const, 'Ready' as const),
      }),
    ),
  ),
  homes: fc.array(fc.option(fc.constantFrom(...names, 'gone')), { maxLength: 4 }),
  movables: fc.nat(6),
  at: fc.array(fc.constantFrom(...names), { minLength: 10, maxLength: 10 }),
  maxPerNode: fc.integer({ min: 1, max: 4 }),
});

test('whatever the world: no node beyond its limit, nobody stands by for himself, and a second look changes nothing', () => {
  fc.assert(
    fc.property(anyWorld, ({ nodes, homes, movables, at, maxPerNode }) => {
      const addresses = [
        ...homes.map((home, i) => fixed(`f${i}`, home)),
        ...Array.from({ length: movables }, (_, i) => moving(`m${i}`)),
      ];
      const holders = new Map(
        addresses.flatMap((one, i) => (one.movable && at[i] ? [[one.address, at[i]] as const] : [])),
      );
      const first = place(world({ nodes, addresses, holders, maxPerNode }));
      const load = new Map<string, number>();
      for (const { nodes: list, problem } of first.addresses) {
        const [name] = list ?? [];
        if (name !== undefined && !problem) load.set(name, (load.get(name) ?? 0) + 1);
        expect(new Set(list ?? []).size).toBe(list?.length ?? 0);
      }
      expect(Math.max(0, ...load.values())).toBeLessThanOrEqual(maxPerNode);
      // What was placed has been taken and its pods run: nothing more moves.
      const now = new Map(
        first.addresses.flatMap(({ address, nodes: list, problem }) =>
          list?.[0] && !problem ? [[address, list[0]] as const] : [],
        ),
      );
      const running = nodes.map((one) => ({ ...one, pod: 'Ready' as const }));
      const settled = place(world({ nodes: running, addresses, holders: now, maxPerNode }));
      const again = new Map(
        settled.addresses.flatMap(({ address, nodes: list }) =>
          list?.[0] ? [[address, list[0]] as const] : [],
        ),
      );
      for (const [address, name] of now) {
        const there = nodes.find((one) => one.name === name);
        if (there?.schedulable || !address.startsWith('m')) expect(again.get(address)).toBe(name);
      }
    }),
  );
});
