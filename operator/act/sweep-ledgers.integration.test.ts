// Ledgers in a real nats-server: which are read for a status, and which the sweep deletes.
import { type Nats, startNats } from '../../e2e/rig/servers.ts';
import { type Bus, connectBus } from '../../mta/bus/client.ts';
import { WARMUP_BUCKET, warmupKey } from '../../mta/bus/names.ts';
import type { LedgerRecord } from '../../mta/policy/warmup/record.ts';
import { ensureFleetAssets } from '../nats/assets.ts';
import { readLedgers } from '../observe/ledgers.ts';
import type { Deps } from './deps.ts';
import { sweepLedgers } from './sweep-ledgers.ts';

const NOW = Date.parse('2026-06-30T10:00:00Z');
let nats: Nats;
let bus: Bus;
beforeAll(async () => {
  nats = await startNats();
  const settings = {
    POSTFLEET_NATS_URL: [nats.env.POSTFLEET_NATS_URL],
    POSTFLEET_NATS_REPLICAS: 1,
    POSTFLEET_NATS_MONITOR_URL: nats.env.POSTFLEET_NATS_MONITOR_URL,
    POSTFLEET_IDENTITY_DIR: '/nowhere',
  };
  bus = await connectBus(settings, 'operator');
  await ensureFleetAssets(bus, { replicas: 1, shardMaxBytes: 1 << 20 });
}, 30_000);
afterAll(async () => {
  await bus.close();
  await nats.stop();
});

const of = (found: readonly { readonly record: LedgerRecord }[]) =>
  found.map(({ record }) => `${record.address} ${record.provider}`).toSorted();

test('an address that was taken out keeps its ledger for the stated time, and then it goes', async () => {
  expect(await readLedgers(bus, ['192.0.2.1'])).toEqual([]);
  const kv = await bus.kv(WARMUP_BUCKET);
  const put = (address: string, provider: string, day: string, version = 1) =>
    kv.put(warmupKey(address, provider), JSON.stringify({ version, address, provider, day, keepDays: 40 }));
  await put('192.0.2.1', 'google', '2026-06-30');
  await put('192.0.2.1', 'yahoo.example', '2026-06-29');
  await put('192.0.2.11', 'google', '2026-05-25');
  await put('2001:db8::1', 'google', '2026-05-01');
  await put('2001:db8::2', 'google', '2026-05-01', 9);
  expect(of(await readLedgers(bus, ['192.0.2.1']))).toEqual(['192.0.2.1 google', '192.0.2.1 yahoo.example']);
  expect(of(await readLedgers(bus, ['2001:db8::1', '192.0.2.11']))).toEqual([
    '192.0.2.11 google',
    '2001:db8::1 google',
  ]);
  const deps = {
    bus: () => ({ kind: 'Up', bus }),
    now: () => NOW,
    caches: { ipPools: { list: () => [{ spec: { addresses: [{ address: '192.0.2.1' }] } }, {}] } },
  } as unknown as Deps;
  expect(await sweepLedgers(deps)).toEqual({ requeueAfterSeconds: 3600 });
  expect(of(await readLedgers(bus, null))).toEqual([
    '192.0.2.1 google',
    '192.0.2.1 yahoo.example',
    '192.0.2.11 google',
  ]);
  expect((await kv.get(warmupKey('2001:db8::2', 'google')))?.operation).toBe('PUT');
});
