import { satisfies, shapeOf } from './options.ts';

const shape = shapeOf(
  {
    nodes: 2,
    internet: { addresses: ['192.0.2.53'] },
    sendingAddresses: [{ address: '198.51.100.1', node: 2 }],
    movableAddresses: ['198.51.100.2'],
  },
  9,
);

test.each([
  ['nothing in particular', {}, true],
  ['as many nodes', { nodes: 2 }, true],
  ['more nodes', { nodes: 3 }, false],
  ['the same internet', { internet: { addresses: ['192.0.2.53'] } }, true],
  ['another address', { internet: { addresses: ['192.0.2.54'] } }, false],
  ['the same sending addresses', { sendingAddresses: [{ address: '198.51.100.1', node: 2 }] }, true],
  ['one on another node', { sendingAddresses: [{ address: '198.51.100.1', node: 1 }] }, false],
  ['the same movable addresses', { movableAddresses: ['198.51.100.2'] }, true],
  ['one more that moves', { movableAddresses: ['198.51.100.2', '198.51.100.3'] }, false],
])('a running cluster and a wish for %s', (_name, options, expected) => {
  expect(satisfies(shape, options)).toBe(expected);
});

test.each([0, 1.5, 10])('%s nodes are refused', (nodes) => {
  expect(() => shapeOf({ nodes }, 9)).toThrow(RangeError);
});

test('an address needs a node', () => {
  expect(() => shapeOf({ sendingAddresses: [{ address: '198.51.100.1', node: 2 }] }, 9)).toThrow(
    '198.51.100.1 is for node 2 of 1',
  );
});

test('an address is of a node or movable, never both', () => {
  const address = '198.51.100.1';
  expect(() => shapeOf({ sendingAddresses: [{ address, node: 1 }], movableAddresses: [address] }, 9)).toThrow(
    '198.51.100.1 is of node 1 and movable',
  );
});
