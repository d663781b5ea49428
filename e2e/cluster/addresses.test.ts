import { addressesOf, freeIndex } from './addresses.ts';

test.each([
  ['nothing is there', [], [], 0],
  ['other clusters have the first ones', [0, 1, 3], [], 2],
  ['a route of the same size', [], ['10.84.0.0/24'], 1],
  ['a route to one address', [], ['10.84.0.7'], 1],
  ['records and routes together', [1], ['10.84.0.0/24', '10.84.2.0/24'], 3],
  ['a larger network that covers the first half', [], ['10.84.0.0/17'], 128],
  [
    'routes elsewhere, and the default one',
    [],
    ['default', '0.0.0.0/0', '192.168.0.0/16', '10.85.0.0/16'],
    0,
  ],
])('the first free subnet when %s', (_name, recorded, routes, expected) => {
  expect(freeIndex(recorded, routes)).toBe(expected);
});

test('when a network of the host covers all of them it says so', () => {
  expect(() => freeIndex([], ['10.0.0.0/8'])).toThrow('no free network');
});

test('the addresses of a subnet are all different', () => {
  const at = addressesOf(7);
  expect(at.node(2)).toBe('10.84.7.12');
  expect(new Set([at.host, at.internet, at.control, at.node(1), at.node(2)]).size).toBe(5);
});
