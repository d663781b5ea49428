import type { AddressLease } from '../bus/snapshot.ts';
import { rankSources } from './sources.ts';

const holder = { pod: 'p', uid: 'u', node: 'n', host: '192.0.2.9', port: 1 };
const lease = (address: string, more: Partial<AddressLease> = {}): AddressLease => ({
  ...{ version: 1, address, ipPool: 'mail/ips', holder, epoch: 1, renewals: 1 },
  ...more,
});
const addresses = ['a', 'b'].map((address) => ({ address, ehlo: 'm', movable: false, weight: 100 }));
const from = (more: Partial<AddressLease>, sticky: string | null = null) =>
  rankSources(
    addresses,
    new Map([
      ['a', lease('a', more)],
      ['b', lease('b')],
    ]),
    sticky,
    () => 0.5,
  ).map((one) => one.address);

test.each([
  ['given up', { released: true as const }],
  ['about to be given up', { leaving: true as const }],
  ['unfit', { unfit: 'cannot be bound' }],
])('mail goes by others when an address is %s, also what should return from it', (_, more) => {
  expect(from({})).toHaveLength(2);
  expect(from(more)).toEqual(['b']);
  expect(from(more, 'a')).toEqual(['b']);
});
