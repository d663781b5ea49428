import { framesFor } from './announce.ts';
import { raised } from './bringup.ts';
import { faultsOf } from './links.ts';

const MAC = '02:00:5e:10:00:01';

test('a gratuitous ARP, as request and as reply (RFC 5227)', () => {
  expect(framesFor(MAC, '198.51.100.7').map((frame) => frame.toString('hex'))).toEqual([
    'ffffffffffff02005e1000010806' + '0001080006040001' + '02005e100001c6336407' + '000000000000c6336407',
    'ffffffffffff02005e1000010806' + '0001080006040002' + '02005e100001c6336407' + 'ffffffffffffc6336407',
  ]);
});

test('an unsolicited neighbour advertisement (RFC 4861), whose checksum is right', () => {
  const [frame = Buffer.alloc(0)] = framesFor(MAC, '2001:db8::51:7');
  expect(frame.subarray(0, 14).toString('hex')).toBe('33330000000102005e10000186dd');
  const [source, target] = [frame.subarray(22, 38), frame.subarray(38, 54)];
  expect(source.toString('hex')).toBe('20010db8000000000000000000510007');
  expect(target.toString('hex')).toBe('ff020000000000000000000000000001');
  const body = frame.subarray(54);
  expect(body.toString('hex')).toMatch(/^8800....2000000020010db8000000000000000000510007020102005e100001$/);
  const pseudo = Buffer.concat([source, target, Buffer.from([0, 0, 0, body.length, 0, 0, 0, 58]), body]);
  let sum = 0;
  for (let i = 0; i < pseudo.length; i += 2) sum += pseudo.readUInt16BE(i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  expect(sum).toBe(0xffff);
});

test.each([
  [9000, 'valid_lft 8'],
  [8999, 'valid_lft 7'],
  [500, 'valid_lft 1'],
])('up for %s ms: in whole seconds, and over before the lease is', (ms, expected) => {
  const link = { name: 'eth0', mac: MAC };
  expect(raised('198.51.100.7/32', link, ms)).toBe(
    `address replace 198.51.100.7/32 dev eth0 ${expected} preferred_lft 0`,
  );
  expect(raised('2001:db8::7/128', link, ms)).toMatch(/preferred_lft 0 nodad$/);
});

test('faults of a batch belong to their lines', () => {
  const said = [
    'Error: ipv4: Address not found.',
    'Command failed -:1',
    'Cannot find device "eth7"',
    'Command failed -:3',
  ];
  const { faults, last } = faultsOf(said.join('\n'));
  expect([...faults]).toEqual([
    [1, 'Error: ipv4: Address not found.'],
    [3, 'Cannot find device "eth7"'],
  ]);
  expect(last).toBe('');
  expect(faultsOf('Error: any valid prefix is expected').last).toMatch(/prefix/);
});
