// Which servers are asked.
import { getServers } from 'node:dns';
import { isIP } from 'node:net';

export interface DnsServer {
  readonly address: string;
  readonly port: number;
}

/**
 * Reads servers written as `address`, `address:port` or `[address]:port`; the system's when the list is empty.
 * @throws RangeError naming the first entry that is none of these.
 */
export function readServers(list: readonly string[]): readonly DnsServer[] {
  return (list.length > 0 ? list : getServers()).map(readServer);
}

function readServer(text: string): DnsServer {
  if (isIP(text)) return { address: text, port: 53 };
  const [, bracketed, bare, port] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const address = bracketed ?? bare ?? '';
  const number = Number(port ?? 53);
  if (!isIP(address) || number < 1 || number > 65_535)
    throw new RangeError(`"${text}" is no DNS server: write an IP address, or address:port`);
  return { address, port: number };
}
