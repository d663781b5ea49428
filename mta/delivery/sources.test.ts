import fc from 'fast-check';
import { warmupSpec } from '../../resources/warmup.ts';
import type { AddressLease } from '../bus/snapshot.ts';
import type { Room } from './rooms.ts';
import { chooseSources, type Knowledge, type Origin } from './sources.ts';

const NOW = Date.parse('2026-05-01T12:00:00Z');
const MIDNIGHT = NOW + 12 * 3_600_000;
const holder = { pod: 'p', uid: 'u', node: 'n', host: '192.0.2.9', port: 1 };
const lease = (address: string, more: Partial<AddressLease> = {}): AddressLease => ({
  ...{ version: 1, address, ipPool: 'mail/ips', holder, epoch: 1, renewals: 1 },
  ...more,
});
const address = (name: string, more: object = {}) => ({
  ...{ address: name, ehlo: 'm', movable: false, weight: 100 },
  ...more,
});
const left = (room: number, allowance = 100): Room => ({
  ...{ kind: 'Young', room, allowance, endsAt: MIDNIGHT, suspended: false },
});
const suspended: Room = { kind: 'Young', room: 50, allowance: 100, endsAt: MIDNIGHT, suspended: true };
const plain: Origin = { sendingDomain: 'a.example', engaged: false, sticky: null, avoid: null };

interface World extends Partial<Knowledge['ipPool']> {
  readonly leases?: Readonly<Record<string, Partial<AddressLease> | null>>;
  readonly rooms?: Readonly<Record<string, Room>>;
  readonly random?: () => number;
}
function choose(origin: Partial<Origin>, world: World = {}) {
  const {
    addresses = [address('a'), address('b')],
    leases = {},
    rooms = {},
    random = () => 0.5,
    ...pool
  } = world;
  const held = addresses.flatMap((one) => {
    const more = leases[one.address];
    return more === null ? [] : [[one.address, lease(one.address, more)] as const];
  });
  const { sources, first, until } = chooseSources(
    { ...plain, ...origin },
    {
      ipPool: { addresses, ...pool },
      leases: new Map(held),
      room: (one) => rooms[one] ?? null,
      now: NOW,
      random,
    },
  );
  return { names: sources.map((one) => one.address), first, until };
}
const warmup = (more: object = {}) => warmupSpec.parse(more);
/** `y` and `z` are young, `o` is warmed. */
const young = [address('y'), address('z'), address('o', { warmed: true })];

test.each([
  ['not held', null],
  ['given up', { released: true as const }],
  ['about to be given up', { leaving: true as const }],
  ['unfit', { unfit: 'cannot be bound' }],
])('mail goes by others when an address is %s, also what should return from it', (_, more) => {
  expect(choose({}).names).toHaveLength(2);
  expect(choose({}, { leases: { a: more } }).names).toEqual(['b']);
  expect(choose({ sticky: 'a' }, { leases: { a: more } }).names).toEqual(['b']);
});

describe('weights', () => {
  const addresses = [
    address('heavy', { weight: 300 }),
    address('light'),
    address('drained', { weight: 0 }),
    address('unheld'),
  ];
  const world = { addresses, leases: { unheld: null } };

  test('only held addresses, and none that is drained', () => {
    expect(choose({}, world).names.toSorted()).toEqual(['heavy', 'light']);
  });
  test('what is bound to an address returns from it, even when it is drained', () => {
    expect(choose({ sticky: 'drained' }, world).names[0]).toBe('drained');
    expect(choose({ sticky: 'unheld' }, world).names).not.toContain('unheld');
  });
  test('the first choice follows the weights', () => {
    let seed = 1;
    const random = () => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed / 2_147_483_647;
    };
    const first = Array.from({ length: 4000 }, () => choose({}, { ...world, random }).names[0]);
    expect(first.filter((one) => one === 'heavy').length / 4000).toBeCloseTo(0.75, 1);
  });
});

test.each<readonly [string, Partial<Origin>, World, readonly string[], number | null]>([
  ['without warm-up in the pool all are alike', {}, { addresses: young }, ['y', 'o', 'z'], null],
  ['young ones first, of which nothing is known yet', {}, { warmup: warmup() }, ['y', 'z', 'o'], null],
  [
    'beyond the allowance over warmed ones',
    {},
    { warmup: warmup(), rooms: { y: left(0), z: left(0) } },
    ['o'],
    null,
  ],
  [
    'or it waits until the day ends',
    {},
    { warmup: warmup({ overflow: 'Wait' }), rooms: { y: left(0), z: left(0) } },
    [],
    MIDNIGHT,
  ],
  [
    'and goes by no warmed one',
    {},
    { warmup: warmup({ overflow: 'Wait' }), rooms: { y: left(3) } },
    ['y', 'z'],
    null,
  ],
  [
    'one that egress calls warmed is',
    {},
    { warmup: warmup({ overflow: 'Wait' }), rooms: { y: left(0), z: { kind: 'Warmed' } } },
    [],
    MIDNIGHT,
  ],
  ['a suspended one is no address', {}, { warmup: warmup(), rooms: { y: suspended } }, ['z', 'o'], null],
  [
    'all suspended: it waits',
    {},
    { warmup: warmup(), rooms: { y: suspended, z: suspended }, leases: { o: null } },
    [],
    MIDNIGHT,
  ],
  ['greylisted: from where it was greeted', { sticky: 'o' }, { warmup: warmup() }, ['o', 'y', 'z'], null],
  [
    'unless that one may not send any more',
    { sticky: 'y' },
    { warmup: warmup(), rooms: { y: left(0) } },
    ['z', 'o'],
    null,
  ],
  ['an address that was refused is left out', { avoid: 'y' }, { warmup: warmup() }, ['z', 'o'], null],
  [
    'unless it is the only one',
    { avoid: 'y' },
    { warmup: warmup(), leases: { z: null, o: null } },
    ['y'],
    null,
  ],
  ['nothing is held, and it is not for warm-up', {}, { leases: { y: null, z: null, o: null } }, [], null],
  [
    'ordinary mail goes over warmed ones first',
    {},
    { warmup: warmup({ engagedFirst: true }), rooms: { y: left(90) } },
    ['o', 'y', 'z'],
    null,
  ],
  [
    'and leaves the rest of the day to engaged mail',
    {},
    { warmup: warmup({ engagedFirst: true }), rooms: { y: left(40), z: left(0) } },
    ['o'],
    null,
  ],
  [
    'engaged mail gets it',
    { engaged: true },
    { warmup: warmup({ engagedFirst: true }), rooms: { y: left(40), z: left(0) } },
    ['y', 'o'],
    null,
  ],
  [
    'a domain with addresses of its own goes by these only',
    {},
    { dedicated: { 'a.example': ['y'] } },
    ['y'],
    null,
  ],
  ['and waits rather than to go by another', {}, { dedicated: { 'a.example': ['gone'] } }, [], null],
  ['nobody else goes by them', {}, { dedicated: { 'b.example': ['y', 'o'] } }, ['z'], null],
  ['nor returns by them', { sticky: 'y' }, { dedicated: { 'b.example': ['y', 'o'] } }, ['z'], null],
])('%s', (_, origin, world, names, until) => {
  const chosen = choose(origin, { addresses: young, ...world });
  const [first, ...rest] = chosen.names;
  // Among equals the order is chance; with the same number for all it is that of the list.
  expect({ first, rest: rest.toSorted(), until: chosen.until }).toEqual({
    first: names[0],
    rest: names.slice(1).toSorted(),
    until,
  });
});

test.each<readonly [string, Partial<Origin>, World, number]>([
  ['without warm-up all', {}, {}, 3],
  ['the young ones', {}, { warmup: warmup() }, 2],
  ['and where it returns from', { sticky: 'o' }, { warmup: warmup() }, 3],
  ['warmed ones, for ordinary mail', {}, { warmup: warmup({ engagedFirst: true }) }, 1],
  ['none', {}, { warmup: warmup(), leases: { y: null, z: null, o: null } }, 0],
])('open connections are used first from %s', (_, origin, world, count) => {
  expect(choose(origin, { addresses: young, ...world }).first).toBe(count);
});

test('whatever is known: only usable addresses, each once, and none that may not send today', () => {
  const names = ['a', 'b', 'c', 'd'];
  const room = fc.oneof(
    fc.constant(undefined),
    fc.constant<Room>({ kind: 'Warmed' }),
    fc.integer({ min: 0, max: 100 }).map((n) => left(n)),
    fc.constant(suspended),
  );
  const of = <T>(value: fc.Arbitrary<T>) => fc.tuple(value, value, value, value);
  const name = fc.option(fc.constantFrom(...names), { nil: null });
  fc.assert(
    fc.property(
      of(room),
      of(fc.constantFrom(0, 1, 100)),
      of(fc.boolean()),
      fc.record({ overflow: fc.constantFrom('Wait', 'Warmed'), engagedFirst: fc.boolean() }),
      fc.record({ engaged: fc.boolean(), sticky: name, avoid: name }),
      fc.array(fc.constantFrom(...names), { maxLength: 2 }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (rooms, weights, held, policy, origin, own, number) => {
        const known = Object.fromEntries(
          names.flatMap((one, i) => (rooms[i] ? [[one, rooms[i] as Room]] : [])),
        );
        const { names: chosen, until } = choose(origin, {
          addresses: names.map((one, i) => address(one, { weight: weights[i] })),
          leases: Object.fromEntries(names.map((one, i) => [one, held[i] ? {} : null])),
          rooms: known,
          warmup: warmup(policy),
          ...(own.length > 0 && { dedicated: { 'a.example': own } }),
          random: () => number,
        });
        expect(new Set(chosen).size).toBe(chosen.length);
        for (const one of chosen) {
          expect(held[names.indexOf(one)]).toBe(true);
          if (own.length > 0) expect(own).toContain(one);
          if (weights[names.indexOf(one)] === 0) expect(one).toBe(origin.sticky);
          const at = known[one];
          if (at?.kind === 'Young') expect(at.room >= 1 && !at.suspended).toBe(true);
        }
        if (until !== null) expect(chosen).toEqual([]);
      },
    ),
    { numRuns: 2000 },
  );
});
