import type { Packet } from 'dns-packet';
import { demoWorld, recordsOf } from './world.ts';
import { type DnsType, Zones } from './zone.ts';

const ask = (zones: Zones, name: string, type: DnsType) => {
  const query: Packet = { type: 'query', id: 7, flags: 0, questions: [{ name, type, class: 'IN' }] };
  const { flags = 0, answers = [], authorities = [] } = zones.answer(query);
  return { rcode: flags & 15, answers: answers.map((one) => ('data' in one ? one.data : null)), authorities };
};
const zones = () => {
  const made = new Zones();
  made.set(recordsOf(demoWorld()));
  return made;
};

test('the world can be asked for', () => {
  const world = zones();
  expect(ask(world, 'ALDER.example.', 'MX').answers).toEqual([
    { preference: 10, exchange: 'mx.alder.example' },
  ]);
  expect(ask(world, 'mx.alder.example', 'A').answers).toEqual(['203.0.113.11']);
  expect(ask(world, 'mta1.demo.example', 'A').answers).toEqual(['198.51.100.10']);
  expect(ask(world, '10.100.51.198.in-addr.arpa', 'PTR').answers).toEqual(['mta1.demo.example']);
  expect(ask(world, 'tamarack.example', 'MX').answers).toHaveLength(2);
});

test('what is not there: no such name, or no such record, with how long that may be kept', () => {
  const world = zones();
  expect(ask(world, 'nowhere.example', 'MX')).toMatchObject({
    rcode: 3,
    answers: [],
    authorities: [{ type: 'SOA' }],
  });
  expect(ask(world, 'spruce.example', 'MX')).toMatchObject({ rcode: 0, answers: [] });
  expect(ask(world, 'example', 'A')).toMatchObject({ rcode: 0, answers: [] });
});

test('setting replaces the records of that name and type, and no others', () => {
  const world = zones();
  world.set([{ name: 'Alder.example', type: 'MX', data: { preference: 5, exchange: 'mx.birch.example' } }]);
  world.set([{ name: 'alder.example', type: 'TXT', data: 'x' }]);
  expect(ask(world, 'alder.example', 'MX').answers).toEqual([
    { preference: 5, exchange: 'mx.birch.example' },
  ]);
  world.remove('alder.example', 'MX');
  expect(ask(world, 'alder.example', 'MX').answers).toEqual([]);
  expect(ask(world, 'alder.example', 'TXT').answers).toEqual([['x']]);
});

test('a long text is cut into strings of 255, an alias is followed', () => {
  const world = zones();
  world.set([
    { name: 's1._domainkey.demo.example', type: 'CNAME', data: 'key.example' },
    { name: 'key.example', type: 'TXT', data: 'p'.repeat(400) },
  ]);
  const [alias, text] = ask(world, 's1._domainkey.demo.example', 'TXT').answers as [string, string[]];
  expect(alias).toBe('key.example');
  expect(text.map(({ length }) => length)).toEqual([255, 145]);
});

test('faults hold for a name and what is below it', () => {
  const world = zones();
  world.setFaults([
    { name: 'alder.example', type: 'MX', rcode: 'SERVFAIL' },
    { name: 'birch.example', rcode: 'NXDOMAIN' },
  ]);
  expect(ask(world, 'alder.example', 'MX').rcode).toBe(2);
  expect(ask(world, 'mx.alder.example', 'A').rcode).toBe(0);
  expect(ask(world, 'mx.birch.example', 'A').rcode).toBe(3);
  expect(ask(world, 'notbirch.example', 'A').rcode).toBe(3);
  world.setFaults([]);
  expect(ask(world, 'alder.example', 'MX').rcode).toBe(0);
});
