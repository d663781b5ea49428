import { BlockList, isIPv4, isIPv6 } from 'node:net';

const NOT_UNICAST = new BlockList();
for (const [network, bits] of [
  ['0.0.0.0', 32],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['224.0.0.0', 4],
  ['255.255.255.255', 32],
] as const)
  NOT_UNICAST.addSubnet(network, bits, 'ipv4');
for (const [network, bits] of [
  ['::', 128],
  ['::1', 128],
  ['fe80::', 10],
  ['ff00::', 8],
] as const)
  NOT_UNICAST.addSubnet(network, bits, 'ipv6');

/**
 * Whether `text` is an address a host can send from, in its canonical text form (RFC 5952), so that equal addresses are equal
 * strings. The same as CEL's `ip.isCanonical(x) && ip(x).isGlobalUnicast()`; private ranges pass (1:1 NAT, tests).
 */
export function isSourceAddress(text: string): boolean {
  if (isIPv4(text)) return !NOT_UNICAST.check(text, 'ipv4');
  if (!isIPv6(text) || !/^[0-9a-f:]+$/.test(text) || text.startsWith('::ffff:')) return false;
  return new URL(`http://[${text}]`).hostname === `[${text}]` && !NOT_UNICAST.check(text, 'ipv6');
}

/** An IPv4 or IPv6 network in CIDR notation. */
export function isNetwork(text: string): boolean {
  const [, address = '', bits = ''] = /^([0-9a-f.:]+)\/(\d{1,3})$/i.exec(text) ?? [];
  return (isIPv4(address) && Number(bits) <= 32) || (isIPv6(address) && Number(bits) <= 128);
}
