import { eligible, rankOf } from './placement.ts';

const address = (one: string, state?: 'Active' | 'Draining') => ({
  ...{ address: one, ehlo: 'm.example.org', movable: true, weight: 100 },
  ...(state && { state }),
});
const pool = {
  addresses: [address('x'), address('y', 'Active'), address('z', 'Draining'), address('w')],
  placement: { x: ['a', 'b'], y: ['b', 'a'], z: ['a'] },
};

test.each([
  ['a', ['x', 'y', 'w']],
  ['b', ['x', 'y', 'w']],
  ['c', ['w']],
])('node %s may hold what is placed there or anywhere, and nothing that drains', (node, expected) => {
  expect(eligible(pool, node).map((one) => one.address)).toEqual(expected);
});

test('without a placement any node may', () => {
  expect(eligible({ addresses: [address('x')] }, 'a')).toHaveLength(1);
  expect(eligible(null, 'a')).toEqual([]);
  expect(rankOf({ addresses: [address('x')] }, 'x', 'a')).toBe(0);
});

test('who is meant to hold it comes first', () => {
  expect(['x', 'y', 'w'].map((one) => rankOf(pool, one, 'b'))).toEqual([1, 0, 0]);
});
