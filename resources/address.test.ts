import fc from 'fast-check';
import { isSourceAddress } from './address.ts';

test.each(['192.0.2.1', '10.0.0.1', '198.51.100.255', '2001:db8::1', 'fd00::1', '2001:db8:1:2:3:4:5:6'])(
  '%s can send',
  (address) => expect(isSourceAddress(address)).toBe(true),
);

test.each([
  '',
  '192.0.2.01',
  '192.0.2.1/32',
  '169.254.1.1',
  '239.1.1.1',
  '255.255.255.255',
  '::',
  'fe80::1%eth0',
  'ff02::1',
])('"%s" cannot', (address) => expect(isSourceAddress(address)).toBe(false));

test('of all ways to write an IPv6 address, one passes', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 5, maxLength: 5 }), (groups) => {
      const long = ['2001', 'db8', '1', ...groups.map((group) => group.toString(16))].join(':');
      const canonical = new URL(`http://[${long}]`).hostname.slice(1, -1);
      expect(isSourceAddress(canonical)).toBe(true);
      if (canonical !== long) expect(isSourceAddress(long)).toBe(false);
      expect(isSourceAddress(canonical.toUpperCase())).toBe(!/[a-f]/.test(canonical));
    }),
  );
});
