// Where egress connects: port 25 of the public internet and nothing else. An SMTP proxy that reaches the inside of a
// cluster is a way into it, and MX records are written by strangers (`MX 10 localhost.` and `A 169.254.169.254` exist).
import { BlockList, isIP } from 'node:net';

/** Ranges of the IANA special-purpose registries (RFC 6890 and its updates) that no MX on the internet has. */
const NOT_PUBLIC = [
  '0.0.0.0/8', // this network
  '10.0.0.0/8', // private, RFC 1918
  '100.64.0.0/10', // carrier-grade NAT, RFC 6598
  '127.0.0.0/8', // loopback
  '169.254.0.0/16', // link-local; metadata services of clouds
  '172.16.0.0/12', // private
  '192.0.0.0/24', // IETF protocol assignments
  '192.0.2.0/24', // documentation
  '192.88.99.0/24', // 6to4 relays, deprecated
  '192.168.0.0/16', // private
  '198.18.0.0/15', // benchmarks
  '198.51.100.0/24', // documentation
  '203.0.113.0/24', // documentation
  '224.0.0.0/3', // multicast, reserved, broadcast
  '::/96', // unspecified, loopback, v4-compatible
  '64:ff9b::/96', // NAT64: an IPv4 address in another coat
  '64:ff9b:1::/48',
  '100::/64', // discard
  '2001::/23', // Teredo and other protocol assignments
  '2001:db8::/32', // documentation
  '2002::/16', // 6to4
  '3fff::/20', // documentation
  '5f00::/16', // segment routing
  'fc00::/7', // unique local; fd00:ec2::254
  'fe80::/10', // link-local
  'fec0::/10', // site-local, deprecated
  'ff00::/8', // multicast
];
const SMTP_PORT = 25;

/** Why `address:port` is not connected to; null when it may be. Addresses are numeric. */
export type DestinationRule = (address: string, port: number) => string | null;

/**
 * A rule that refuses what is not public, the fleet's `own` addresses and other ports than 25; what lies in `allowed`
 * (CIDRs or addresses) is always permitted.
 * @throws RangeError when an entry of `allowed` is no CIDR.
 */
export function destinationRule(allowed: readonly string[], own: () => Iterable<string>): DestinationRule {
  const permitted = blockList(allowed);
  const special = blockList(NOT_PUBLIC);
  return (address, port) => {
    const plain = unmapped(address);
    if (isIP(plain) === 0) return `${address} is no address`;
    if (contains(permitted, plain)) return null;
    if (port !== SMTP_PORT) return `port ${port} is not ${SMTP_PORT}`;
    if (isIP(plain) !== isIP(address)) return `${address} is an IPv4-mapped address`;
    if (contains(special, plain)) return `${address} is not a public address`;
    for (const mine of own()) if (mine === plain) return `${address} is one of our own`;
    return null;
  };
}

/** `::ffff:10.0.0.1` and `::ffff:a00:1` → `10.0.0.1`: a mapped address is judged as what it reaches. */
function unmapped(address: string): string {
  if (isIP(address) !== 6) return address;
  const normal = new URL(`http://[${address.replace(/%.*$/, '')}]/`).hostname.slice(1, -1);
  const [, high, low] = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(normal) ?? [];
  if (!high || !low) return normal;
  const bits = (Number.parseInt(high, 16) << 16) | Number.parseInt(low, 16);
  return [24, 16, 8, 0].map((shift) => (bits >>> shift) & 255).join('.');
}

const contains = (list: BlockList, address: string): boolean =>
  list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');

function blockList(entries: readonly string[]): BlockList {
  const list = new BlockList();
  for (const entry of entries) {
    const [address = '', prefix] = entry.split('/');
    const family = isIP(address);
    const bits = prefix === undefined ? (family === 6 ? 128 : 32) : Number(prefix);
    if (family === 0 || !Number.isInteger(bits) || bits < 0 || bits > (family === 6 ? 128 : 32))
      throw new RangeError(`${JSON.stringify(entry)} is no CIDR`);
    list.addSubnet(address, bits, family === 6 ? 'ipv6' : 'ipv4');
  }
  return list;
}
