import type { Answer as Record } from 'dns-packet';
import type { Resolver } from './answer.ts';
import { createResolver, type ResolverOptions } from './resolver.ts';
import { type Reply, type Script, startTestDns, type TestDns } from './server.fixture.ts';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function start(script: Script): Promise<TestDns> {
  const dns = await startTestDns(script);
  closing.push(dns.close);
  return dns;
}
async function resolverOn(
  script: Script,
  options: ResolverOptions = {},
): Promise<{ resolver: Resolver; dns: TestDns }> {
  const dns = await start(script);
  return { resolver: resolver({ servers: [dns.server], ...options }), dns };
}
function resolver(options: ResolverOptions): Resolver {
  const made = createResolver({ timeoutMs: 2000, rounds: 1, ...options });
  closing.unshift(() => made.close());
  return made;
}

const a = (name: string, data: string, ttl = 60): Record => ({ type: 'A', name, ttl, data });
const cname = (name: string, data: string, ttl = 60): Record => ({ type: 'CNAME', name, ttl, data });
const soa = (ttl: number, minimum: number): Record => ({
  type: 'SOA',
  name: 'test',
  ttl,
  data: { mname: 'ns.test', rname: 'root.test', serial: 1, refresh: 1, retry: 1, expire: 1, minimum },
});
const SERVFAIL: Reply = { rcode: 2 };
const NXDOMAIN: Reply = { rcode: 3 };
const found = (...data: string[]) => ({
  kind: 'records',
  records: data.map((each) => ({ type: 'A', data: each })),
});

const wrongId: Reply = {
  answers: [a('x.test', '192.0.2.66')],
  spoil: (packet) => {
    packet.writeUInt16BE(packet.readUInt16BE(0) ^ 1, 0);
    return packet;
  },
};

test('records of every type that is asked for', async () => {
  const answers: { [type: string]: Record[] } = {
    A: [a('x.test', '192.0.2.1'), a('x.test', '192.0.2.2')],
    AAAA: [{ type: 'AAAA', name: 'x.test', ttl: 60, data: '2001:db8::1' }],
    MX: [{ type: 'MX', name: 'x.test', ttl: 60, data: { preference: 10, exchange: 'MX.x.test' } }],
    TXT: [{ type: 'TXT', name: 'x.test', ttl: 60, data: [Buffer.from('v=DKIM1; '), Buffer.from('p=abc')] }],
  };
  const { resolver } = await resolverOn(({ type }) => [{ answers: answers[type] ?? [] }]);
  expect(await resolver.query('x.test', 'A')).toEqual(found('192.0.2.1', '192.0.2.2'));
  expect(await resolver.query('x.test', 'AAAA')).toMatchObject({ records: [{ data: '2001:db8::1' }] });
  expect(await resolver.query('x.test', 'MX')).toMatchObject({
    records: [{ data: { preference: 10, exchange: 'mx.x.test' } }],
  });
  expect(await resolver.query('x.test', 'TXT')).toMatchObject({ records: [{ data: 'v=DKIM1; p=abc' }] });
});

test.each<[string, Reply, unknown]>([
  ['NXDOMAIN', NXDOMAIN, { kind: 'no-domain' }],
  ['NODATA', { authorities: [soa(60, 60)] }, { kind: 'no-data' }],
  ['NODATA without an SOA', {}, { kind: 'no-data' }],
  ['SERVFAIL', SERVFAIL, { kind: 'temporary', reason: expect.stringContaining('SERVFAIL') }],
  ['REFUSED', { rcode: 5 }, { kind: 'temporary', reason: expect.stringContaining('REFUSED') }],
  [
    'a referral',
    { authorities: [{ type: 'NS', name: 'test', ttl: 60, data: 'ns.test' }] },
    { kind: 'temporary', reason: expect.stringContaining('referral') },
  ],
  [
    'an alias and its record',
    { answers: [cname('x.test', 'y.test'), a('y.test', '192.0.2.3')] },
    found('192.0.2.3'),
  ],
  [
    'an alias to nothing',
    { answers: [cname('x.test', 'y.test')], authorities: [soa(60, 60)] },
    { kind: 'no-data' },
  ],
  [
    'aliases in a circle',
    { answers: [cname('x.test', 'y.test'), cname('y.test', 'x.test')] },
    { kind: 'temporary', reason: expect.stringContaining('loop') },
  ],
  ["somebody else's record", { answers: [a('evil.test', '192.0.2.66')] }, { kind: 'no-data' }],
  [
    'garbage behind a good header',
    { spoil: (packet) => Buffer.concat([packet.subarray(0, 12), Buffer.alloc(9, 0xff)]) },
    { kind: 'temporary', reason: expect.stringContaining('cannot be read') },
  ],
])('%s', async (_, reply, expected) => {
  const { resolver } = await resolverOn(() => [reply]);
  expect(await resolver.query('X.test.', 'A')).toEqual(expected);
});

test('an alias that leaves the packet is asked for', async () => {
  const { resolver, dns } = await resolverOn(({ name }) => [
    { answers: name === 'x.test' ? [cname('x.test', 'y.test')] : [a('y.test', '192.0.2.3')] },
  ]);
  expect(await resolver.query('x.test', 'A')).toEqual(found('192.0.2.3'));
  expect(dns.asked).toEqual(['udp A x.test', 'udp A y.test']);
});

test('an answer that is cut off is asked for again over TCP', async () => {
  const many = Array.from({ length: 200 }, (_, at) => a('x.test', `192.0.2.${at}`));
  const { resolver, dns } = await resolverOn((_, over) => [
    over === 'udp' ? { truncated: true } : { answers: many },
  ]);
  const answer = await resolver.query('x.test', 'A');
  expect(answer.kind === 'records' && answer.records).toHaveLength(200);
  expect(dns.asked).toEqual(['udp A x.test', 'tcp A x.test']);
});

test('answers with a wrong id, or to another question, are ignored; the right one behind them counts', async () => {
  const otherQuestion: Reply = {
    answers: [a('x.test', '192.0.2.67')],
    spoil: (packet) => {
      packet.write('z', 13);
      return packet;
    },
  };
  const { resolver } = await resolverOn(() => [
    wrongId,
    otherQuestion,
    { spoil: () => Buffer.from('no') },
    { answers: [a('x.test', '192.0.2.1')] },
  ]);
  expect(await resolver.query('x.test', 'A')).toEqual(found('192.0.2.1'));
});

test('a wrong id alone is no answer: timeout', async () => {
  const { resolver } = await resolverOn(() => [wrongId], { timeoutMs: 150 });
  expect(await resolver.query('x.test', 'A')).toMatchObject({
    kind: 'temporary',
    reason: expect.stringContaining('no answer in time'),
  });
});

test('a late answer is waited for; one that is too late is not', async () => {
  const late = Promise.withResolvers<Reply[]>();
  const { resolver, dns } = await resolverOn(() => late.promise, {
    timeoutMs: 150,
    rounds: 2,
    failureSeconds: 0,
  });
  expect(await resolver.query('x.test', 'A')).toMatchObject({ kind: 'temporary' });
  expect(dns.asked).toHaveLength(2);
  const asking = resolver.query('x.test', 'A');
  late.resolve([{ answers: [a('x.test', '192.0.2.1')] }]);
  expect(await asking).toEqual(found('192.0.2.1'));
});

test('a server that fails or is not there is passed over; all servers are asked in every round', async () => {
  const bad = await start(() => [SERVFAIL]);
  const good = await start(({ name }) =>
    name === 'x.test' ? [{ answers: [a('x.test', '192.0.2.1')] }] : [SERVFAIL],
  );
  const gone = await startTestDns(() => null);
  await gone.close();
  const asking = resolver({ servers: [gone.server, bad.server, good.server], rounds: 2 });
  expect(await asking.query('x.test', 'A')).toEqual(found('192.0.2.1'));
  expect([bad.asked.length, good.asked.length]).toEqual([1, 1]);
  expect(await asking.query('y.test', 'A')).toMatchObject({ kind: 'temporary' });
  expect([bad.asked.length, good.asked.length]).toEqual([3, 3]);
});

test('NXDOMAIN of the first server is an answer: nobody else is asked', async () => {
  const first = await start(() => [NXDOMAIN]);
  const second = await start(() => [{ answers: [a('x.test', '192.0.2.1')] }]);
  expect(await resolver({ servers: [first.server, second.server] }).query('x.test', 'A')).toEqual({
    kind: 'no-domain',
  });
  expect(second.asked).toEqual([]);
});

test('a server that knows no EDNS is asked without', async () => {
  const { resolver } = await resolverOn(({ edns }) => [
    edns ? { rcode: 1 } : { answers: [a('x.test', '192.0.2.1')] },
  ]);
  expect(await resolver.query('x.test', 'A')).toEqual(found('192.0.2.1'));
});

test('equal questions at the same time are asked once', async () => {
  const { resolver, dns } = await resolverOn(() => [{ answers: [a('x.test', '192.0.2.1')] }]);
  const answers = await Promise.all(['x.test', 'X.TEST', 'x.test.'].map((name) => resolver.query(name, 'A')));
  expect(answers).toEqual([1, 2, 3].map(() => found('192.0.2.1')));
  expect(dns.asked).toHaveLength(1);
});

test.each<[string, Reply, number]>([
  ['records, for their TTL', { answers: [a('x.test', '192.0.2.1', 60), a('x.test', '192.0.2.2', 90)] }, 60],
  ['records with a tiny TTL, for the least', { answers: [a('x.test', '192.0.2.1', 0)] }, 10],
  ['records with a huge TTL, for the most', { answers: [a('x.test', '192.0.2.1', 1_000_000)] }, 3600],
  [
    'an alias, for the shortest of the chain',
    { answers: [cname('x.test', 'y.test', 30), a('y.test', '192.0.2.1', 500)] },
    30,
  ],
  ['NXDOMAIN, for the smaller of TTL and minimum', { ...NXDOMAIN, authorities: [soa(300, 120)] }, 120],
  ['NODATA, the same', { authorities: [soa(40, 120)] }, 40],
  ['NXDOMAIN of a huge minimum, for the most', { ...NXDOMAIN, authorities: [soa(90_000, 90_000)] }, 900],
  ['NODATA without an SOA, for the least', {}, 10],
  ['a failure, for a moment', SERVFAIL, 5],
])('kept: %s', async (_, reply, seconds) => {
  let now = 0;
  const { resolver, dns } = await resolverOn(() => [reply], { now: () => now });
  const first = await resolver.query('x.test', 'A');
  now = seconds * 1000 - 1;
  expect(await resolver.query('x.test', 'A')).toEqual(first);
  expect(dns.asked).toHaveLength(1);
  now = seconds * 1000;
  expect(await resolver.query('x.test', 'A')).toEqual(first);
  expect(dns.asked).toHaveLength(2);
});

test('records past their time serve while no server answers, but not for ever, and never instead of an answer', async () => {
  let now = 0;
  let reply: Reply = { answers: [a('x.test', '192.0.2.1', 60)] };
  const { resolver } = await resolverOn(() => [reply], { now: () => now, staleSeconds: 600 });
  await resolver.query('x.test', 'A');
  reply = SERVFAIL;
  now = 659_000;
  expect(await resolver.query('x.test', 'A')).toEqual(found('192.0.2.1'));
  now = 660_000;
  expect(await resolver.query('x.test', 'A')).toMatchObject({ kind: 'temporary' });
  reply = NXDOMAIN;
  now = 670_000;
  expect(await resolver.query('x.test', 'A')).toEqual({ kind: 'no-domain' });
});

test('the cache is bounded: the name least recently asked for is asked again', async () => {
  const { resolver, dns } = await resolverOn(({ name }) => [{ answers: [a(name, '192.0.2.1')] }], {
    maxCached: 2,
  });
  for (const name of ['a.test', 'b.test', 'a.test', 'c.test', 'a.test', 'b.test'])
    await resolver.query(name, 'A');
  expect(dns.asked.map((line) => line.slice(-6))).toEqual(['a.test', 'b.test', 'c.test', 'b.test']);
});

test('questions under way are bounded, those that wait too; one more is told so at once', async () => {
  const go = Promise.withResolvers<void>();
  let [under, most] = [0, 0];
  const arrived = Promise.withResolvers<void>();
  const { resolver } = await resolverOn(
    async ({ name }) => {
      most = Math.max(most, ++under);
      if (under === 2) arrived.resolve();
      await go.promise;
      under--;
      return [{ answers: [a(name, '192.0.2.1')] }];
    },
    { maxInFlight: 2, maxWaiting: 3 },
  );
  const asking = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => resolver.query(`${name}.test`, 'A'));
  expect(await asking[5]).toMatchObject({ kind: 'temporary', reason: expect.stringContaining('too many') });
  await arrived.promise;
  go.resolve();
  expect((await Promise.all(asking)).map(({ kind }) => kind)).toEqual([
    ...Array(5).fill('records'),
    'temporary',
  ]);
  expect(most).toBe(2);
});

test('closing ends what is under way', async () => {
  const arrived = Promise.withResolvers<void>();
  const { resolver } = await resolverOn(
    () => {
      arrived.resolve();
      return null;
    },
    { timeoutMs: 60_000 },
  );
  const asking = resolver.query('x.test', 'A');
  await arrived.promise;
  resolver.close();
  expect(await asking).toMatchObject({ kind: 'temporary' });
});

test.each(['', 'a..test', `${'x'.repeat(64)}.test`, `${'x.'.repeat(130)}test`])(
  '"%s" can be no name: nobody is asked',
  async (name) => {
    const { resolver, dns } = await resolverOn(() => [SERVFAIL]);
    expect(await resolver.query(name, 'A')).toEqual({ kind: 'no-domain' });
    expect(dns.asked).toEqual([]);
  },
);

test('names outside ASCII are asked for as A-labels', async () => {
  const { resolver, dns } = await resolverOn(({ name }) => [{ answers: [a(name, '192.0.2.1')] }]);
  expect(await resolver.query('bücher.test', 'A')).toEqual(found('192.0.2.1'));
  expect(dns.asked).toEqual(['udp A xn--bcher-kva.test']);
});
