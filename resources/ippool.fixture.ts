// What no IPPool can be.
import type { Refused } from './refused.fixture.ts';

const ip = (address: string, more: object = {}): object => ({ address, ehlo: 'mta1.demo.example', ...more });
const warmup = (...steps: readonly (readonly [number, number?])[]): object => ({
  addresses: [ip('192.0.2.1')],
  warmup: { schedules: { google: steps.map(([day, perDay]) => (perDay ? { day, perDay } : { day })) } },
});

export const refusedIPPools: readonly Refused[] = [
  { what: 'no address', spec: { addresses: [] }, says: ['spec.addresses'] },
  {
    what: 'something that is no address',
    spec: { addresses: [ip('192.0.2.1'), ip('192.0.2.256')] },
    says: ['spec.addresses', 'must be a unicast IPv4 or IPv6 address', '192.0.2.256'],
  },
  ...[
    '127.0.0.1',
    '0.0.0.0',
    '224.0.0.5',
    '::1',
    'fe80::1',
    '2001:DB8::1',
    '2001:db8:0::1',
    '::ffff:192.0.2.1',
  ].map(
    (address): Refused => ({
      what: `the address ${address}`,
      spec: { addresses: [ip(address)] },
      says: ['spec.addresses', 'must be a unicast', address],
    }),
  ),
  {
    what: 'a bad bind address',
    spec: { addresses: [ip('192.0.2.1', { bindAddress: 'eth0' })] },
    says: ['bindAddress must be', 'eth0'],
  },
  {
    what: 'an address twice',
    spec: { addresses: [ip('192.0.2.1'), ip('192.0.2.2'), ip('192.0.2.2')] },
    says: ['spec.addresses', 'only once', '192.0.2.2'],
  },
  {
    what: 'a movable address of a node',
    spec: { addresses: [ip('192.0.2.1', { movable: true, node: 'a' })] },
    says: ['spec.addresses', 'belongs to no node', '192.0.2.1'],
  },
  {
    what: 'a segment that is none',
    spec: { addresses: [ip('192.0.2.1')], placement: { segment: '192.0.2.0/33' } },
    says: ['placement.segment', '192.0.2.0/33'],
  },
  {
    what: "an interface without the host's network",
    spec: { addresses: [ip('192.0.2.1')], placement: { interface: 'eth0', hostNetwork: false } },
    says: ['placement', "host's network"],
  },
  {
    what: 'no address per node',
    spec: { addresses: [ip('192.0.2.1')], placement: { maxAddressesPerNode: 0 } },
    says: ['placement.maxAddressesPerNode', '1'],
  },
  {
    what: 'a warm-up without day 1',
    spec: warmup([2, 100]),
    says: ['warmup.schedules', 'day 1', 'google'],
  },
  {
    what: 'a warm-up with a day twice',
    spec: warmup([1, 100], [1, 200]),
    says: ['warmup.schedules', 'each day only once', 'google'],
  },
  {
    what: 'a warm-up that goes down',
    spec: warmup([1, 100], [2, 200], [3, 199]),
    says: ['warmup.schedules', 'must not go down', 'google'],
  },
  {
    what: 'a warm-up without a limit in the middle',
    spec: warmup([1, 100], [2], [3, 300]),
    says: ['warmup.schedules', 'must not go down', 'google'],
  },
  {
    what: 'a threshold to hold above the one to step back',
    spec: {
      addresses: [ip('192.0.2.1')],
      warmup: { thresholds: { bounced: { hold: 0.5, stepBack: 0.25 } } },
    },
    says: ['warmup.thresholds.bounced', 'hold must not be above stepBack', '0.5'],
  },
  {
    what: 'a ledger that is forgotten at once',
    spec: { addresses: [ip('192.0.2.1')], warmup: { keepLedgerDays: 1 } },
    says: ['spec.warmup.keepLedgerDays', 'greater than or equal to 30'],
  },
  {
    what: 'an address that is warmed and has begun some day',
    spec: { addresses: [ip('192.0.2.1', { warmed: true, startedOn: '2026-01-31' })] },
    says: ['spec.addresses', 'either warmed', '192.0.2.1'],
  },
  {
    what: 'a start that is no day of the calendar',
    spec: { addresses: [ip('192.0.2.1', { startedOn: '2026-02-30' })] },
    says: ['spec.addresses', '2026-02-30'],
  },
];
