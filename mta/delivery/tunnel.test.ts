import type { AddressLease } from '../bus/snapshot.ts';
import { isLost } from './tunnel.ts';

const holder = (uid: string) => ({ pod: uid, uid, node: 'n', host: '192.0.2.9', port: 1 });
const lease = (uid: string, more: Partial<AddressLease> = {}): AddressLease => ({
  ...{ version: 1, address: 'a', ipPool: 'mail/ips', holder: holder(uid), epoch: 2, renewals: 1 },
  ...more,
});

test.each<[string, AddressLease | undefined, boolean]>([
  ['holds it', lease('e1'), false],
  ['has given it up and ends what is open', lease('e1', { released: true }), false],
  ['lingers', lease('e2', { lingering: [{ holder: holder('e1'), open: { google: 1 } }] }), false],
  ['is of an address that nobody knows', undefined, false],
  ['was followed by another', lease('e2'), true],
  ['was followed, and has ended', lease('e2', { lingering: [{ holder: holder('e0'), open: {} }] }), true],
])('a connection through a pod that %s', (_, found, lost) => expect(isLost(found, 'e1')).toBe(lost));
