import { destinationRule } from './destinations.ts';

const rule = destinationRule([], () => ['8.8.4.4', '2606:4700::9']);

test.each([
  ['8.8.8.8', 25],
  ['2606:4700::1111', 25],
  ['172.15.0.1', 25],
  ['172.32.0.1', 25],
  ['100.63.255.255', 25],
  ['223.255.255.255', 25],
])('%s:%i is a public mail exchanger', (address, port) => {
  expect(rule(address, port)).toBeNull();
});

test.each([
  ['8.8.8.8', 587],
  ['8.8.8.8', 80],
  ['10.1.2.3', 25],
  ['172.16.0.1', 25],
  ['172.31.255.255', 25],
  ['192.168.1.1', 25],
  ['127.0.0.1', 25],
  ['127.255.0.9', 25],
  ['0.0.0.0', 25],
  ['169.254.169.254', 25],
  ['100.64.0.1', 25],
  ['224.0.0.1', 25],
  ['240.0.0.1', 25],
  ['255.255.255.255', 25],
  ['192.0.2.1', 25],
  ['203.0.113.5', 25],
  ['::1', 25],
  ['::', 25],
  ['::ffff:10.0.0.1', 25],
  ['::ffff:8.8.8.8', 25],
  ['::ffff:7f00:1', 25],
  ['::10.0.0.1', 25],
  ['64:ff9b::a00:1', 25],
  ['2002:a00:1::', 25],
  ['fd00:ec2::254', 25],
  ['fe80::1', 25],
  ['fe80::1%eth0', 25],
  ['ff02::1', 25],
  ['2001:db8::1', 25],
  ['8.8.4.4', 25],
  ['2606:4700:0::9', 25],
  ['localhost', 25],
])('%s:%i is refused', (address, port) => {
  expect(rule(address, port)).toEqual(expect.any(String));
});

test('what is allowed by name is allowed whatever it is, and nothing beside it', () => {
  const allowing = destinationRule(['127.0.0.0/28', 'fd00::5', '203.0.113.0/24'], () => ['127.0.0.1']);
  expect(allowing('127.0.0.1', 2525)).toBeNull();
  expect(allowing('fd00::5', 25)).toBeNull();
  expect(allowing('203.0.113.9', 25)).toBeNull();
  expect(allowing('::ffff:127.0.0.1', 25)).toBeNull();
  expect(allowing('127.0.0.16', 25)).not.toBeNull();
  expect(allowing('fd00::6', 25)).not.toBeNull();
});

test.each(['10.0.0.0/33', '10.0.0', 'fd00::/129', 'example.com', '10.0.0.0/x'])('%s is no CIDR', (entry) => {
  expect(() => destinationRule([entry], () => [])).toThrow(RangeError);
});
