// Against a real DNS server on loopback: PTR, forward and blocklist questions, and one that does not answer.
import type { Answer } from 'dns-packet';
import { startTestDns, type TestDns } from '../../mta/dns/server.fixture.ts';
import { AddressWatcher } from './address-dns.ts';

const ZONE: Readonly<Record<string, Answer[]>> = {
  'PTR 1.2.0.192.in-addr.arpa': [{ type: 'PTR', name: '1.2.0.192.in-addr.arpa', data: 'mta1.example.org' }],
  'A mta1.example.org': [{ type: 'A', name: 'mta1.example.org', data: '192.0.2.1' }],
  'AAAA mta6.example.org': [{ type: 'AAAA', name: 'mta6.example.org', data: '2001:db8::1' }],
  'A 1.2.0.192.bl.example': [{ type: 'A', name: '1.2.0.192.bl.example', data: '127.0.0.2' }],
};
let dns: TestDns;
beforeAll(async () => {
  dns = await startTestDns(({ name, type }) => {
    if (name.endsWith('silent.example')) return null;
    const answers = ZONE[`${type} ${name.toLowerCase()}`];
    return [answers ? { answers } : { rcode: 3 }];
  });
});
afterAll(() => dns.close());

test('names of addresses, and what leads back', async () => {
  const wanted = [
    { address: '192.0.2.1', ehlo: 'mta1.example.org' },
    { address: '2001:db8::1', ehlo: 'mta6.example.org' },
    { address: '192.0.2.3', ehlo: 'silent.example' },
  ];
  expect(await new AddressWatcher([dns.server]).records(wanted)).toEqual([
    { ...wanted[0], names: ['mta1.example.org'], addresses: ['192.0.2.1'] },
    { ...wanted[1], names: [], addresses: ['2001:db8::1'] },
    { ...wanted[2], names: [], addresses: null },
  ]);
}, 30_000);

test('blocklists: listed, not listed, and one that does not answer', async () => {
  const found = await new AddressWatcher([dns.server]).listings(
    ['192.0.2.1', '192.0.2.2'],
    ['bl.example', 'silent.example'],
  );
  expect(found.map(({ address, zone, answers }) => [address, zone, answers])).toEqual([
    ['192.0.2.1', 'bl.example', ['127.0.0.2']],
    ['192.0.2.1', 'silent.example', null],
    ['192.0.2.2', 'bl.example', []],
    ['192.0.2.2', 'silent.example', null],
  ]);
}, 30_000);
