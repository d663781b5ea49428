// Reads a response packet: follows the CNAME chain inside it, tells NXDOMAIN from NODATA, finds the time to live (RFC 1034 §3.6.2,
// RFC 2308). Pure.
import type { DecodedPacket, Answer as PacketAnswer } from 'dns-packet';
import type { Answer, DnsRecord, QueryType, TimedAnswer } from './answer.ts';

/** A chain that leaves the packet: the name to ask next, and how long the chain so far holds. */
export interface Alias {
  readonly alias: string;
  readonly ttlSeconds: number;
}

const temporary = (reason: string): TimedAnswer => ({
  answer: { kind: 'temporary', reason },
  ttlSeconds: null,
});

/** What `packet` answers to the question for `name` and `type`. */
export function interpret(packet: DecodedPacket, name: string, type: QueryType): TimedAnswer | Alias {
  const rcode = (packet as { rcode?: string }).rcode ?? 'NOERROR';
  if (rcode === 'NXDOMAIN') return negative({ kind: 'no-domain' }, packet);
  if (rcode !== 'NOERROR') return temporary(`the server answered ${rcode}`);
  const chain = followAliases(packet.answers ?? [], name);
  if (chain === null) return temporary('the answer has a CNAME loop');
  const found = (packet.answers ?? []).filter(
    (record) => record.type === type && same(record.name, chain.end),
  );
  const records = found.flatMap(readRecord);
  if (records.length > 0) {
    const ttls = [...chain.ttls, ...found.map(ttlOf)];
    return { answer: { kind: 'records', records }, ttlSeconds: Math.min(...ttls) };
  }
  const authorities = packet.authorities ?? [];
  const hasSoa = authorities.some((record) => record.type === 'SOA');
  if (chain.ttls.length > 0 && !hasSoa) return { alias: chain.end, ttlSeconds: Math.min(...chain.ttls) };
  if (!hasSoa && authorities.some((record) => record.type === 'NS'))
    return temporary('the server answered with a referral: it does not recurse for us');
  return negative({ kind: 'no-data' }, packet);
}

/** Names are compared without case and without the final dot (RFC 4343). */
export const same = (a: string, b: string): boolean => plainName(a) === plainName(b);
export const plainName = (name: string): string => name.toLowerCase().replace(/\.$/, '');

function followAliases(answers: readonly PacketAnswer[], name: string) {
  let end = name;
  const ttls: number[] = [];
  for (;;) {
    const alias = answers.find((record) => record.type === 'CNAME' && same(record.name, end));
    if (alias?.type !== 'CNAME') return { end, ttls };
    if (ttls.length >= 16) return null;
    ttls.push(ttlOf(alias));
    end = alias.data;
  }
}

/** RFC 2308 §5: the smaller of the SOA's own TTL and its minimum field; without an SOA the answer does not say. */
function negative(answer: Answer, packet: DecodedPacket): TimedAnswer {
  const soa = (packet.authorities ?? []).find((record) => record.type === 'SOA');
  if (soa?.type !== 'SOA') return { answer, ttlSeconds: null };
  return { answer, ttlSeconds: Math.min(ttlOf(soa), soa.data.minimum ?? 0) };
}

/** A TTL with the top bit set counts as 0 (RFC 2181 §8). */
function ttlOf(record: PacketAnswer): number {
  const ttl = 'ttl' in record ? (record.ttl ?? 0) : 0;
  return ttl > 0x7f_ff_ff_ff ? 0 : ttl;
}

function readRecord(record: PacketAnswer): DnsRecord[] {
  if (record.type === 'A' || record.type === 'AAAA') return [{ type: record.type, data: record.data }];
  if (record.type === 'MX')
    return [
      {
        type: 'MX',
        data: { preference: record.data.preference ?? 0, exchange: plainName(record.data.exchange) },
      },
    ];
  if (record.type !== 'TXT') return [];
  const parts = Array.isArray(record.data) ? record.data : [record.data];
  return [{ type: 'TXT', data: parts.map((part) => part.toString()).join('') }];
}
