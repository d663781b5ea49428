// Postfleet as a contender: one ingress, one delivery, one egress and one nats-server, with mutual TLS between them, as the
// rig starts them; the DNS of the recipient domains is answered by this process.
import { join } from 'node:path';
import { DnsServer } from '../e2e/internet/dns.ts';
import { type DnsRecord, Zones } from '../e2e/internet/zone.ts';
import { type Fleet, startFleet } from '../e2e/rig/fleet.ts';
import type { Contender } from './contender.ts';

const DNS_PORT = 5300;
const SHARDS = 8;

export interface PostfleetOptions {
  /** Every role writes a CPU profile there when it ends. */
  readonly profileDir?: string | undefined;
  /** The delivery pod's volume, which already holds so many recipients. */
  readonly volume?: { readonly dir: string; readonly recipients: number };
}

export interface Postfleet extends Contender {
  readonly fleet: Fleet;
}

/** Starts it; `routes` maps a recipient domain to its mail host's address. */
export async function startPostfleet(
  from: string,
  routes: ReadonlyMap<string, string>,
  { profileDir, volume }: PostfleetOptions = {},
): Promise<Postfleet> {
  const dns = await serveDns(routes);
  const profile = (role: string) =>
    profileDir ? { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${join(profileDir, role)}` } : {};
  const delivery = { ...profile('delivery'), ...(volume && { POSTFLEET_SPOOL_DIR: volume.dir }) };
  const fleet = await startFleet({
    domain: from.split('@')[1] as string,
    shards: SHARDS,
    addresses: [{ address: '127.2.0.1', ehlo: 'mta1.bench.test' }],
    dnsServers: [`127.0.0.1:${DNS_PORT}`],
    natsServers: 1,
    env: { ingress: profile('ingress'), delivery, egress: profile('egress') },
  });
  return {
    name: 'Postfleet',
    load: { host: '127.0.0.1', port: fleet.ingress.smtpPort, from, auth: fleet.credentials },
    pids: pidsOf(fleet),
    fleet,
    empty: () => isEmpty(fleet, volume?.recipients ?? 0),
    async stop() {
      await fleet.stop();
      await dns.close();
    },
  };
}

async function serveDns(routes: ReadonlyMap<string, string>): Promise<DnsServer> {
  const zones = new Zones();
  zones.set(
    [...routes].flatMap(([domain, address]): DnsRecord[] => [
      { name: domain, type: 'MX', data: { preference: 10, exchange: `mx.${domain}` } },
      { name: `mx.${domain}`, type: 'A', data: address },
    ]),
  );
  const dns = new DnsServer(zones);
  await dns.listen('127.0.0.1', DNS_PORT);
  return dns;
}

function pidsOf({ ingress, deliveries, egress, nats, postgres }: Fleet): Record<string, number> {
  const children = {
    ingress: ingress.child,
    delivery: deliveries[0]?.child,
    egress: egress.child,
    nats: nats.nodes[0]?.child,
    postgres: postgres.child,
  };
  return Object.fromEntries(
    Object.entries(children).map(([name, child]) => [name, child?.process.pid as number]),
  );
}

/** Nothing in hand, and no more in the spool than there was. */
async function isEmpty(fleet: Fleet, spooled: number): Promise<boolean> {
  const text = (await Promise.all(fleet.deliveries.map(fleet.metrics))).join('\n');
  const value = (name: string) =>
    Number(new RegExp(`^${name}\\{.*\\} (\\d+)$`, 'm').exec(text)?.[1] ?? Number.NaN);
  return (
    value('postfleet_delivery_in_hand_parcels') === 0 &&
    value('postfleet_delivery_queue_recipients') === spooled
  );
}
