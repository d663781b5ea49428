// Who lives in the miniature internet, as data: twenty domains that people send to and the one they send from.
import type { Behaviour } from './behaviour.ts';
import type { DnsRecord } from './zone.ts';

export interface Host {
  readonly hostname: string;
  readonly address: string;
  readonly behaviour: Behaviour;
}
export interface Domain {
  readonly domain: string;
  /** Hosts by preference; empty: it has no MX record and its own address takes the mail (RFC 5321 §5.1). */
  readonly mx: readonly string[];
  /** One line for the table of the demo. */
  readonly manner: string;
}
export interface World {
  readonly dns: { readonly address: string; readonly port: number };
  readonly smtpPort: number;
  readonly senderDomain: string;
  readonly sendingAddresses: readonly { readonly address: string; readonly ehlo: string }[];
  /** Where people send to; the sender's own domain is not among them. */
  readonly domains: readonly Domain[];
  readonly hosts: readonly Host[];
  /** An MX host that nobody answers at. */
  readonly deadHosts: readonly { readonly hostname: string; readonly address: string }[];
}

const SENDER = 'demo.example';
const mxAddress = (n: number): string => `203.0.113.${n}`;

/** Domains with a mail exchanger of their own: manner, then behaviour. */
const ALONE: readonly (readonly [string, string, Behaviour])[] = [
  ['alder', 'accepts', {}],
  ['birch', 'accepts', {}],
  ['cedar', 'accepts', {}],
  ['dogwood', 'self-signed certificate', { tls: 'self-signed' }],
  ['elm', 'no TLS', { tls: 'none' }],
  ['fir', 'greylists', { greylistSeconds: 10 }],
  ['ginkgo', 'greylists', { greylistSeconds: 10 }],
  ['hazel', 'greylists', { greylistSeconds: 10 }],
  ['ironwood', 'defers a third for 15 s', { defer: { share: 0.33, forSeconds: 15 } }],
  ['juniper', 'defers all for 8 s', { defer: { share: 1, forSeconds: 8, reply: '451 4.3.2 not now' } }],
  ['kapok', 'refuses one in ten', { refuse: { share: 0.1, localParts: ['nobody'] } }],
  ['larch', 'refuses one in twenty', { refuse: { share: 0.05, reply: '550 5.7.1 not wanted' } }],
  ['maple', 'slow', { delayMs: { connect: 100, mail: 100, rcpt: 100, dot: 300 } }],
  ['nutmeg', 'three connections', { maxConnections: 3 }],
  ['oak', 'five messages a connection', { maxMessagesPerConnection: 5 }],
  ['pine', 'SMTPUTF8', { smtpUtf8: true }],
  ['tamarack', 'its first MX is dead', { tls: 'expired' }],
];
/** The domain whose recipients may have UTF-8 addresses. */
export const UTF8_DOMAIN = 'pine.example';

export function demoWorld(): World {
  const hosts = ALONE.map(([name, , behaviour], i) => ({
    ...{ hostname: `mx.${name}.example`, address: mxAddress(11 + i), behaviour },
  }));
  const alone = ALONE.map(([name, manner]) => ({
    domain: `${name}.example`,
    mx: [`mx.${name}.example`],
    manner,
  }));
  const hosted = ['quince', 'rowan'].map((name) => ({
    ...{
      domain: `${name}.example`,
      mx: ['mx1.bigmail.example', 'mx2.bigmail.example'],
      manner: 'hosted at bigmail',
    },
  }));
  const dead = { hostname: 'dead.tamarack.example', address: mxAddress(60) };
  return {
    dns: { address: '192.0.2.53', port: 53 },
    smtpPort: 25,
    senderDomain: SENDER,
    sendingAddresses: [10, 11, 12, 13].map((n, i) => ({
      address: `198.51.100.${n}`,
      ehlo: `mta${i + 1}.${SENDER}`,
    })),
    domains: [
      ...alone.map((one) =>
        one.domain === 'tamarack.example' ? { ...one, mx: [dead.hostname, ...one.mx] } : one,
      ),
      ...hosted,
      { domain: 'spruce.example', mx: [], manner: 'no MX record' },
    ],
    hosts: [
      ...hosts,
      { hostname: 'mx1.bigmail.example', address: mxAddress(41), behaviour: {} },
      { hostname: 'mx2.bigmail.example', address: mxAddress(42), behaviour: {} },
      { hostname: 'spruce.example', address: mxAddress(43), behaviour: {} },
      { hostname: `mx.${SENDER}`, address: mxAddress(100), behaviour: {} },
    ],
    deadHosts: [dead],
  };
}

/** The same world on loopback: 203.0.113.n → 127.`net`.113.n and so on. Worlds with different `net` do not meet. */
export function onLoopback(
  world: World,
  net: number,
  ports: { readonly smtp: number; readonly dns: number },
): World {
  const move = (address: string): string => `127.${net}.${address.split('.').slice(2).join('.')}`;
  const moved = <T extends { readonly address: string }>(one: T): T => ({
    ...one,
    address: move(one.address),
  });
  return {
    ...world,
    dns: { address: move(world.dns.address), port: ports.dns },
    smtpPort: ports.smtp,
    sendingAddresses: world.sendingAddresses.map(moved),
    hosts: world.hosts.map(moved),
    deadHosts: world.deadHosts.map(moved),
  };
}

/** Every address the internet's process needs on its interfaces. */
export function addressesOf(world: World): string[] {
  return [world.dns.address, ...world.hosts.map(({ address }) => address)];
}

/** The records that stand at start. DKIM keys come at run time. */
export function recordsOf(world: World): DnsRecord[] {
  const { domains, hosts, deadHosts, sendingAddresses, senderDomain } = world;
  const mxOf = ({ domain, mx }: Pick<Domain, 'domain' | 'mx'>): DnsRecord[] =>
    mx.map((exchange, i) => ({ name: domain, type: 'MX', data: { preference: 10 * (i + 1), exchange } }));
  const named = [
    ...hosts,
    ...deadHosts,
    ...sendingAddresses.map(({ address, ehlo }) => ({ address, hostname: ehlo })),
  ];
  const spf = `v=spf1 ${sendingAddresses.map(({ address }) => `ip4:${address}`).join(' ')} -all`;
  return [
    ...domains.flatMap(mxOf),
    ...mxOf({ domain: senderDomain, mx: [`mx.${senderDomain}`] }),
    ...named.map(({ hostname, address }): DnsRecord => ({ name: hostname, type: 'A', data: address })),
    ...named.map(
      ({ hostname, address }): DnsRecord => ({ name: reverse(address), type: 'PTR', data: hostname }),
    ),
    { name: senderDomain, type: 'TXT', data: spf },
  ];
}

const reverse = (address: string): string => `${address.split('.').reverse().join('.')}.in-addr.arpa`;

/** The domain of an address, and the MX site it stands for in tables. */
export const domainOf = (address: string): string =>
  address.slice(address.lastIndexOf('@') + 1).toLowerCase();
