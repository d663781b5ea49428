import { connectTo } from '../e2e/rig/bus.ts';
import { type Nats, startNats, until } from '../e2e/rig/servers.ts';
import type { Bus } from '../mta/bus/client.ts';
import { COMPLAINTS_BUCKET, complaintKeys, FLEET_BUCKET, ipPoolSnapshotKey } from '../mta/bus/names.ts';
import { ensureFleetAssets } from '../operator/nats/assets.ts';
import { registerComplaintCommands } from './complaint.ts';
import { printing } from './printed.fixture.ts';

const ADDRESS = '2001:db8::25';
let nats: Nats;
let bus: Bus;

beforeAll(async () => {
  nats = await startNats();
  Object.assign(process.env, nats.env, { POSTFLEET_IDENTITY_DIR: '/nowhere' });
  bus = await connectTo(nats, 'operator');
  await until('JetStream', () =>
    ensureFleetAssets(bus, { replicas: 1, shardMaxBytes: 1 << 20 }).then(() => true),
  );
  const pool = { addresses: [{ address: ADDRESS, ehlo: 'out.example.org' }] };
  await (await bus.kv(FLEET_BUCKET)).put(ipPoolSnapshotKey('mail', 'ips'), JSON.stringify(pool));
}, 60_000);
afterAll(async () => {
  await bus?.close();
  await nats?.stop();
});

const postfleet = printing(registerComplaintCommands);

test('each report is filed once, under its address', async () => {
  expect(await postfleet('complaint', 'add', ADDRESS, 'Google', '<1@fbl>', '<2@fbl>')).toBe('added 2 of 2');
  expect(await postfleet('complaint', 'add', ADDRESS, 'google', '<2@fbl>', '<3@fbl>')).toBe('added 1 of 2');
  const found = [];
  for await (const entry of await (await bus.kv(COMPLAINTS_BUCKET)).history({ key: complaintKeys(ADDRESS) }))
    found.push(entry.json());
  expect(found).toEqual(
    ['<1@fbl>', '<2@fbl>', '<3@fbl>'].map((id) => ({
      ...{ version: 1, address: ADDRESS, provider: 'google', id },
    })),
  );
});

test.each([
  ['192.0.2.99', 'no IPPool has the address 192.0.2.99'],
  ['mta1.example.org', '"mta1.example.org" is no IP address'],
])('%s: %s', async (address, message) => {
  await expect(postfleet('complaint', 'add', address, 'google', '<1@fbl>')).rejects.toMatchObject({
    ...{ expected: true, message },
  });
});
