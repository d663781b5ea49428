import { FLEET_BUCKET, ipPoolSnapshotKey } from '../../mta/bus/names.ts';
import type { IPPoolSnapshot } from '../../mta/bus/snapshot.ts';
import { warmupSpec } from '../../resources/warmup.ts';
import { DnsServer } from '../internet/dns.ts';
import { type DnsRecord, Zones } from '../internet/zone.ts';
import { type Fleet, startFleet } from '../rig/fleet.ts';
import { freePorts } from '../rig/ports.ts';
import { until } from '../rig/process.ts';
import { POOL } from '../rig/snapshots.ts';
import { sendByHttp } from '../sender/http.ts';
import { PROVIDER_HOST, Provider } from './provider.ts';

const SENDER = 'acme.test';
const [YOUNG, WARMED] = ['127.2.7.1', '127.2.7.2'];
const DOMAINS = ['alder.test', 'birch.test', 'cedar.test', 'elm.test'];
const addresses = [
  { address: YOUNG, ehlo: 'mta1.rig.test' },
  { address: WARMED, ehlo: 'mta2.rig.test', warmed: true },
];
const ALLOWANCE = 60;
/** 5 % of it. */
const SLICE = 3;
const perDay = (allowance: number) => [{ day: 1, perDay: allowance }];
const schedules = {
  'alder.test': perDay(ALLOWANCE),
  'birch.test': perDay(1000),
  'cedar.test': perDay(5),
  'elm.test': perDay(100),
};
const PATIENCE_MS = 60_000;

const provider = new Provider();
let dns: DnsServer;
let fleet: Fleet;
let number = 0;

const recordsOf = (name: string): DnsRecord[] => [
  { name, type: 'MX', data: { preference: 10, exchange: `mx.${name}` } },
  { name: `mx.${name}`, type: 'A', data: PROVIDER_HOST },
];

beforeAll(async () => {
  const [port = 0] = await freePorts(1);
  await provider.start();
  const zones = new Zones();
  zones.set([SENDER, ...DOMAINS].flatMap(recordsOf));
  dns = new DnsServer(zones);
  await dns.listen('127.0.0.1', port);
  fleet = await startFleet({
    domain: SENDER,
    shards: 4,
    deliveries: 2,
    addresses,
    warmup: warmupSpec.parse({ schedules }),
    policy: { retry: { intervals: ['1s'], jitter: 0 } },
    dnsServers: [`127.0.0.1:${port}`],
  });
}, 120_000);
afterAll(async () => {
  await fleet?.stop();
  await dns?.close();
  await provider.stop();
}, 60_000);

async function send(count: number, domain: string, pauseMs = 0): Promise<void> {
  const target = { url: `https://127.0.0.1:${fleet.ingress.httpsPort}`, token: fleet.credentials.password };
  for (let n = 0; n < count; n++) {
    const id = `w${number++}`;
    const to = `${id}@${domain}`;
    const message = Buffer.from(`From: a@${SENDER}\r\nTo: ${to}\r\nSubject: ${id}\r\n\r\nHello\r\n`);
    const result = await sendByHttp(
      target,
      { testId: id, from: `a@${SENDER}`, recipients: [to], message },
      1,
    );
    expect(result.recipients[0]?.verdict).toBe('accepted');
    if (pauseMs) await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}
const taken = (domain: string) => provider.from(domain, YOUNG) + provider.from(domain, WARMED);
const arrived = (count: number, domain: string) =>
  until(`${count} at ${domain}`, () => taken(domain) >= count, PATIENCE_MS);

/** Writes another IPPool, as the operator would, and waits until egress has taken it in by what it answers. */
async function change(more: Partial<IPPoolSnapshot>): Promise<void> {
  const kv = await fleet.bus.kv(FLEET_BUCKET);
  const key = ipPoolSnapshotKey('rig', POOL);
  const before = (await kv.get(key))?.json<IPPoolSnapshot>();
  await kv.put(key, JSON.stringify({ ...before, ...more }));
}

test('the young address never gives more than its allowance, through kill -9 of the holder; the rest goes by the warmed one', async () => {
  const domain = 'alder.test';
  await send(60, domain);
  await until('the middle', () => taken(domain) > 30, PATIENCE_MS);
  await fleet.egress.child.stop('SIGKILL');
  fleet.start(fleet.egress);
  // Its holder has a slice of 3 at a time; while that is under way the warmed address takes what comes.
  const nearly = async () => {
    await send(10, domain);
    return provider.from(domain, YOUNG) >= ALLOWANCE - 2 * SLICE;
  };
  await until('the allowance to be used up but for what died with the holder', nearly, 2 * PATIENCE_MS);
  await send(60, domain);
  await arrived(number, domain);
  expect(provider.from(domain, YOUNG)).toBeLessThanOrEqual(ALLOWANCE);
  expect(provider.from(domain, WARMED)).toBeGreaterThanOrEqual(60);
}, 180_000);

test('a provider that defers the young address for its reputation stops it for the day; its mail goes by the warmed one', async () => {
  const domain = 'birch.test';
  provider.dislikes.set(YOUNG, { code: 451, text: '4.7.1 127.2.7.1 is listed at zen.spamhaus.example' });
  await send(40, domain);
  await arrived(40, domain);
  provider.dislikes.clear();
  expect(provider.from(domain, YOUNG)).toBe(0);
  const series = `postfleet_warmup_suspended{address="${YOUNG}",provider="${domain}"} 1`;
  await until(
    'the suspension',
    async () => (await fleet.metrics(fleet.egress)).includes(series),
    PATIENCE_MS,
  );
  await send(5, domain);
  await arrived(45, domain);
  expect(provider.from(domain, YOUNG)).toBe(0);
}, 180_000);

test('with overflow Wait what is beyond the allowance waits', async () => {
  const domain = 'cedar.test';
  await change({ warmup: warmupSpec.parse({ schedules, overflow: 'Wait' }) });
  const spooled = async () => {
    const all = await Promise.all(fleet.deliveries.map((pod) => fleet.statement(pod)));
    return all.reduce((sum, { spool }) => sum + spool.entries, 0);
  };
  const before = await spooled();
  await send(12, domain);
  await until('the rest to wait', async () => taken(domain) + (await spooled()) - before >= 12, PATIENCE_MS);
  expect([provider.from(domain, YOUNG), provider.from(domain, WARMED)]).toEqual([5, 0]);
}, 120_000);

test("a domain's own address: its mail goes by this only", async () => {
  const domain = 'elm.test';
  await change({ warmup: warmupSpec.parse({ schedules }), dedicated: { [SENDER]: [WARMED] } });
  const isKnown = async () => {
    const before = provider.from(domain, WARMED);
    await send(1, domain);
    await until('a mail', () => taken(domain) > 0, PATIENCE_MS);
    return provider.from(domain, WARMED) > before;
  };
  await until('delivery to know it', isKnown, PATIENCE_MS);
  const young = provider.from(domain, YOUNG);
  await send(15, domain);
  const all = taken(domain);
  await until('the mail', () => provider.from(domain, WARMED) >= 15 && taken(domain) >= all, PATIENCE_MS);
  expect(provider.from(domain, YOUNG)).toBe(young);
}, 120_000);
