import { getServers } from 'node:dns';
import { readServers } from './servers.ts';

test.each([
  ['192.0.2.53', { address: '192.0.2.53', port: 53 }],
  ['192.0.2.53:5353', { address: '192.0.2.53', port: 5353 }],
  ['2001:db8::53', { address: '2001:db8::53', port: 53 }],
  ['[2001:db8::53]:5353', { address: '2001:db8::53', port: 5353 }],
  ['[2001:db8::53]', { address: '2001:db8::53', port: 53 }],
])('%s', (text, server) => {
  expect(readServers([text])).toEqual([server]);
});

test.each(['dns.example', '192.0.2.53:0', '192.0.2.53:70000', '192.0.2.53:', '[192.0.2', ''])(
  '"%s" is refused',
  (text) => {
    expect(() => readServers([text])).toThrow(RangeError);
  },
);

test("an empty list means the system's", () => {
  expect(readServers([])).toHaveLength(getServers().length);
});
