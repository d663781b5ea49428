import type { AddressLease } from '../bus/snapshot.ts';
import { FITNESS_RULES } from './fitness.ts';
import { Physician } from './physician.ts';

const lease = (address: string, connected: number): AddressLease => ({
  ...{ version: 1, address, ipPool: 'mail/ips', epoch: 1, renewals: 1, connected },
  holder: { pod: 'p', uid: 'u', node: 'n', host: '192.0.2.9', port: 1 },
});

function physician() {
  const world = { now: 0, leases: [lease('c', 0)] as AddressLease[], said: [] as string[] };
  const one = new Physician({
    rules: FITNESS_RULES,
    now: () => world.now,
    leases: async () => world.leases,
    onChange: (address, why) => world.said.push(`${address} ${why === null ? 'in' : 'out'}`),
  });
  /** `seconds` in which the address reaches nobody, with a look every three. */
  const fail = async (address: string, seconds: number, each = () => {}) => {
    for (let i = 0; i < seconds; i++) {
      one.note(address, 'failed', `mx${i}.test`);
      each();
      world.now += 1000;
      if (i % 3 === 2) await one.look();
    }
  };
  return { world, one, fail };
}

test('one that cannot be bound is out at once, and in again after a minute', async () => {
  const { world, one } = physician();
  for (const host of ['x', 'y', 'z']) one.note('a', 'unbound', host);
  expect(world.said).toEqual(['a out']);
  world.now += 60_000;
  await one.look();
  expect(world.said).toEqual(['a out', 'a in']);
});

test('one that reaches nobody is out when another of this pod connects', async () => {
  const { world, one, fail } = physician();
  await fail('a', 12, () => one.note('b', 'connected', 'x'));
  expect(world.said).toEqual(['a out']);
});

test('or when one of another pod does, by what its lease counts', async () => {
  const { world, fail } = physician();
  await fail('a', 15);
  expect(world.said).toEqual([]);
  let count = 0;
  await fail('a', 6, () => {
    world.leases = [lease('c', ++count)];
  });
  expect(world.said).toEqual(['a out']);
});

test('nobody connects, or NATS does not say: all stay', async () => {
  const { world, one, fail } = physician();
  await fail('a', 30, () => one.note('b', 'failed', `mx${world.now}.test`));
  expect(world.said).toEqual([]);
});

test('an address that went elsewhere is forgotten', () => {
  const { world, one } = physician();
  for (const host of ['x', 'y', 'z']) one.note('a', 'unbound', host);
  one.forget('a');
  expect(world.said).toEqual(['a out', 'a in']);
});
