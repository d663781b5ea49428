import { isListed, listQuery, NAME_FAULTS, type NameVerdict, namesOf } from './address-records.ts';

const good = {
  address: '192.0.2.1',
  ehlo: 'mta1.example.org',
  names: ['MTA1.example.org.'],
  addresses: ['192.0.2.9', '192.0.2.1'],
};

test.each<readonly [NameVerdict, object]>([
  ['Confirmed', {}],
  ['Confirmed', { address: '2001:db8::1', addresses: ['2001:db8:0:0:0:0:0:1'] }],
  ['NoReverse', { names: [] }],
  ['OtherReverse', { names: ['host-1.isp.example'] }],
  ['NoForward', { addresses: [] }],
  ['OtherForward', { addresses: ['192.0.2.2'] }],
  ['Unknown', { names: null }],
  ['Unknown', { addresses: null }],
])('%s: %p', (verdict, more) => {
  expect(namesOf({ ...good, ...more })).toBe(verdict);
  expect(NAME_FAULTS[verdict] === null).toBe(verdict === 'Confirmed');
});

test.each([
  ['192.0.2.99', '99.2.0.192.bl.example'],
  ['2001:db8::25', '5.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.bl.example'],
])('%s is asked for as %s', (address, query) => {
  expect(listQuery(address, 'bl.example')).toBe(query);
});

test.each([
  [['127.0.0.2'], true],
  [[], false],
  [['203.0.113.1'], false],
  [['127.255.255.254'], null],
  [null, null],
])('%p means listed: %p', (answers, listed) => {
  expect(isListed(answers)).toBe(listed);
});
