import fc from 'fast-check';
import type { Answer, QueryType, Resolver } from './answer.ts';
import { resolveHost } from './host.ts';
import { lookupMx } from './mx.ts';

/** A resolver that knows `answers` by "TYPE name"; anything else does not exist. */
const knowing = (answers: Record<string, Answer>): Resolver => ({
  query: async (name: string, type: QueryType) => answers[`${type} ${name}`] ?? { kind: 'no-domain' },
  close: () => {},
});
const mx = (...records: [number, string][]): Answer => ({
  kind: 'records',
  records: records.map(([preference, exchange]) => ({ type: 'MX', data: { preference, exchange } })),
});
const address = (type: 'A' | 'AAAA', ...data: string[]): Answer => ({
  kind: 'records',
  records: data.map((each) => ({ type, data: each })),
});
const NO_DATA: Answer = { kind: 'no-data' };
const TEMPORARY: Answer = { kind: 'temporary', reason: 'SERVFAIL' };

const hosts = (...list: [number, string][]) => ({
  kind: 'hosts',
  hosts: list.map(([preference, host]) => ({ preference, host })),
});

test.each<[string, Record<string, Answer>, unknown]>([
  [
    'lower preference first',
    { 'MX d.test': mx([20, 'b.test'], [10, 'a.test']) },
    hosts([10, 'a.test'], [20, 'b.test']),
  ],
  ['names in lower case', { 'MX d.test': mx([10, 'MX.A.Test']) }, hosts([10, 'mx.a.test'])],
  [
    'one host, two preferences: the better',
    { 'MX d.test': mx([20, 'a.test'], [10, 'a.test']) },
    hosts([10, 'a.test']),
  ],
  ['null MX', { 'MX d.test': mx([0, '']) }, { kind: 'null-mx' }],
  ['null MX with a preference', { 'MX d.test': mx([10, '.']) }, { kind: 'null-mx' }],
  ['a root beside others is none', { 'MX d.test': mx([0, ''], [10, 'a.test']) }, hosts([10, 'a.test'])],
  [
    'addresses and this machine are left out',
    { 'MX d.test': mx([1, '192.0.2.1'], [2, 'localhost'], [3, 'x.localhost'], [4, 'a.test']) },
    hosts([4, 'a.test']),
  ],
  ['no such domain', {}, { kind: 'no-domain' }],
  ['failure', { 'MX d.test': TEMPORARY }, TEMPORARY],
  [
    'implicit MX over A',
    { 'MX d.test': NO_DATA, 'A d.test': address('A', '192.0.2.1'), 'AAAA d.test': NO_DATA },
    hosts([0, 'd.test']),
  ],
  [
    'implicit MX over AAAA',
    { 'MX d.test': NO_DATA, 'A d.test': NO_DATA, 'AAAA d.test': address('AAAA', '2001:db8::1') },
    hosts([0, 'd.test']),
  ],
  [
    'implicit MX although one family fails',
    { 'MX d.test': NO_DATA, 'A d.test': address('A', '192.0.2.1'), 'AAAA d.test': TEMPORARY },
    hosts([0, 'd.test']),
  ],
  [
    'neither MX nor address',
    { 'MX d.test': NO_DATA, 'A d.test': NO_DATA, 'AAAA d.test': NO_DATA },
    { kind: 'no-domain' },
  ],
  [
    'no MX, address unknown',
    { 'MX d.test': NO_DATA, 'A d.test': NO_DATA, 'AAAA d.test': TEMPORARY },
    TEMPORARY,
  ],
])('%s', async (_, answers, expected) => {
  expect(await lookupMx(knowing(answers), 'd.test', () => 0.5)).toEqual(expected);
});

test('MX records of which none is usable never lead to the own address of the domain', async () => {
  const resolver = knowing({ 'MX d.test': mx([10, '192.0.2.1']), 'A d.test': address('A', '192.0.2.1') });
  expect(await lookupMx(resolver, 'd.test')).toMatchObject({
    kind: 'temporary',
    reason: expect.stringContaining('d.test'),
  });
});

test.each([
  ['[192.0.2.7]', '192.0.2.7'],
  ['[IPv6:2001:db8::7]', '2001:db8::7'],
])('the address literal %s needs no DNS', async (domain, host) => {
  expect(await lookupMx(knowing({}), domain)).toEqual(hosts([0, host]));
});

test('equal preferences come in an order that the random numbers make; five of each, sixteen in all', async () => {
  const record = fc.tuple(
    fc.constantFrom(10, 20, 30, 40, 50),
    fc.integer({ min: 0, max: 60 }).map((n) => `h${n}.test`),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(record, { minLength: 1, maxLength: 60 }),
      fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })),
      async (records, random) => {
        const next = () => random.next().value as number;
        const result = await lookupMx(knowing({ 'MX d.test': mx(...records) }), 'd.test', next);
        if (result.kind !== 'hosts') throw new Error(result.kind);
        const preferences = result.hosts.map(({ preference }) => preference);
        expect(preferences).toEqual([...preferences].sort((a, b) => a - b));
        expect(new Set(result.hosts.map(({ host }) => host)).size).toBe(result.hosts.length);
        for (const one of new Set(preferences))
          expect(preferences.filter((each) => each === one).length).toBeLessThanOrEqual(5);
        expect(result.hosts.length).toBeLessThanOrEqual(16);
      },
    ),
  );
  const two = { 'MX d.test': mx([10, 'a.test'], [10, 'b.test']) };
  const firstWith = async (...numbers: number[]) => {
    const result = await lookupMx(knowing(two), 'd.test', () => numbers.shift() ?? 0);
    return result.kind === 'hosts' ? result.hosts[0]?.host : result.kind;
  };
  expect([await firstWith(0.1, 0.9), await firstWith(0.9, 0.1)]).toEqual(['a.test', 'b.test']);
});

test.each<[string, Record<string, Answer>, (4 | 6)[], unknown]>([
  [
    'both families, IPv4 first',
    { 'A h.test': address('A', '192.0.2.1', '192.0.2.2'), 'AAAA h.test': address('AAAA', '2001:db8::1') },
    [6, 4],
    {
      kind: 'addresses',
      addresses: [
        { address: '192.0.2.1', family: 4 },
        { address: '192.0.2.2', family: 4 },
        { address: '2001:db8::1', family: 6 },
      ],
    },
  ],
  [
    'only the family asked for',
    { 'A h.test': address('A', '192.0.2.1'), 'AAAA h.test': address('AAAA', '2001:db8::1') },
    [6],
    { kind: 'addresses', addresses: [{ address: '2001:db8::1', family: 6 }] },
  ],
  [
    'one fails, the other serves',
    { 'A h.test': TEMPORARY, 'AAAA h.test': address('AAAA', '2001:db8::1') },
    [4, 6],
    { kind: 'addresses', addresses: [{ address: '2001:db8::1', family: 6 }] },
  ],
  ['one fails, the other is empty', { 'A h.test': TEMPORARY, 'AAAA h.test': NO_DATA }, [4, 6], TEMPORARY],
  ['nothing', { 'A h.test': NO_DATA, 'AAAA h.test': NO_DATA }, [4, 6], { kind: 'no-host' }],
])('a host with %s', async (_, answers, families, expected) => {
  expect(await resolveHost(knowing(answers), 'h.test', families)).toEqual(expected);
});

test('an address is its own host', async () => {
  expect(await resolveHost(knowing({}), '2001:db8::9')).toEqual({
    kind: 'addresses',
    addresses: [{ address: '2001:db8::9', family: 6 }],
  });
});
