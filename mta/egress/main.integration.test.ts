// `postfleet egress` as a process: starts from its environment, is ready, and gives its addresses back on SIGTERM.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kvm } from '@nats-io/kv';
import { connectTo } from '../../e2e/rig/bus.ts';
import { writeIdentity } from '../../e2e/rig/rig-identities.ts';
import { Child, freePorts, startNats, until } from '../../e2e/rig/servers.ts';
import { createAuthority } from '../../operator/authority/authority.ts';
import { FLEET_BUCKET, LEASE_BUCKET, leaseKey } from '../bus/names.ts';
import type { AddressLease } from '../bus/snapshot.ts';

const ADDRESS = '127.0.0.23';
const command = join(import.meta.dirname, '../../cli/main.ts');
const children: Child[] = [];
const start = (env: NodeJS.ProcessEnv): Child => {
  const child = new Child(process.execPath, [command, 'egress'], {
    env: { PATH: process.env.PATH, ...env },
    name: 'postfleet egress',
  });
  children.push(child);
  return child;
};
afterEach(() => Promise.all(children.splice(0).map((child) => child.stop('SIGKILL'))));

test('missing settings are all named at once', async () => {
  const child = start({});
  expect(await child.exited).toBe(1);
  expect(child.output).toMatch(/POSTFLEET_IP_POOL is not set/);
  expect(child.output).toMatch(/POSTFLEET_EGRESS_HOST is not set/);
  expect(child.output).toMatch(/POSTFLEET_NATS_URL/);
});

test('starts, holds its address, releases it on SIGTERM', async () => {
  const nats = await startNats();
  const root = mkdtempSync(join(tmpdir(), 'postfleet-egress-'));
  const [port = 0, metrics = 0] = await freePorts(2);
  const identity = { role: 'egress', pool: 'ips', pod: 'e1', uid: 'uid-e1' } as const;
  const folder = await writeIdentity(await createAuthority(), root, 'egress', identity);
  const bus = await connectTo(nats, 'operator', { identityDir: folder });
  try {
    const kvm = new Kvm(bus.js);
    const leases = await kvm.create(LEASE_BUCKET);
    const fleet = await kvm.create(FLEET_BUCKET);
    const addresses = [{ address: ADDRESS, ehlo: 'out.example.com', movable: false, weight: 100 }];
    const snapshot = {
      version: 1,
      namespace: 'mail',
      name: 'ips',
      uid: `u${process.pid}`,
      generation: 1,
      addresses,
    };
    const child = start({
      ...nats.env,
      POSTFLEET_NAMESPACE: 'egress',
      POSTFLEET_POD_NAME: 'e1',
      POSTFLEET_POD_UID: 'uid-e1',
      POSTFLEET_IDENTITY_DIR: folder,
      POSTFLEET_METRICS_PORT: String(metrics),
      POSTFLEET_IP_POOL: 'mail/ips',
      POSTFLEET_EGRESS_HOST: '127.0.0.1',
      POSTFLEET_EGRESS_PORT: String(port),
    });
    const ready = () => fetch(`http://127.0.0.1:${metrics}/readyz`);
    await until('an unready answer that says why', async () =>
      (await (await ready()).text()).includes('addresses: no snapshot of mail/ips'),
    );
    await fleet.put('ippool.mail_ips', JSON.stringify(snapshot));
    await until('readiness', async () => (await ready()).ok);
    const text = await (await fetch(`http://127.0.0.1:${metrics}/metrics`)).text();
    expect(text).toContain(`postfleet_egress_lease{address="${ADDRESS}"} 1`);
    await child.stop('SIGTERM');
    expect(child.process.exitCode).toBe(0);
    const lease = (await leases.get(leaseKey(ADDRESS)))?.json<AddressLease>();
    expect(lease).toMatchObject({
      epoch: expect.any(Number),
      released: true,
      holder: { uid: 'uid-e1', port },
    });
  } finally {
    await bus.close();
    await nats.stop();
    rmSync(root, { recursive: true, force: true });
  }
});
