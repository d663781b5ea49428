// Which hosts take a domain's mail (RFC 5321 §5.1, RFC 7505).
import { isIP } from 'node:net';
import type { Answer, MxRecord, Resolver } from './answer.ts';
import { plainName } from './interpret.ts';

export interface MxHost {
  readonly preference: number;
  /** Lower case without a final dot, or an IP address (address literal domains only). */
  readonly host: string;
}

export type MxResult =
  /** In the order in which they are to be tried; never empty. */
  | { readonly kind: 'hosts'; readonly hosts: readonly MxHost[] }
  /** The domain says that it takes no mail: bounce with 5.1.10. */
  | { readonly kind: 'null-mx' }
  /** The domain does not exist or has neither MX nor address: bounce with 5.1.2. */
  | { readonly kind: 'no-domain' }
  | { readonly kind: 'temporary'; readonly reason: string };

const PER_PREFERENCE = 5;
const IN_ALL = 16;

/**
 * Looks up the MX hosts of `domain`, a name or an address literal such as `[192.0.2.1]`. Never rejects.
 * @param random gives a number in [0, 1): equal preferences are tried in random order.
 */
export async function lookupMx(
  resolver: Resolver,
  domain: string,
  random: () => number = Math.random,
): Promise<MxResult> {
  const literal = addressLiteral(domain);
  if (literal) return { kind: 'hosts', hosts: [{ preference: 0, host: literal }] };
  const answer = await resolver.query(domain, 'MX');
  if (answer.kind === 'no-data') return implicitMx(resolver, domain);
  if (answer.kind !== 'records') return answer;
  const records = answer.records.flatMap((record) => (record.type === 'MX' ? [record.data] : []));
  const [only] = records;
  if (records.length === 1 && only && isRoot(only.exchange)) return { kind: 'null-mx' };
  const hosts = orderHosts(records.filter(isUsable), random);
  // There are MX records, so the domain's own address must not be used (RFC 5321 §5.1); its owner may still mend them.
  if (hosts.length === 0)
    return { kind: 'temporary', reason: `no MX record of ${domain} names a usable host` };
  return { kind: 'hosts', hosts };
}

/** No MX record: the domain's own address is its MX, if it has one. */
async function implicitMx(resolver: Resolver, domain: string): Promise<MxResult> {
  const answers: Answer[] = await Promise.all([resolver.query(domain, 'A'), resolver.query(domain, 'AAAA')]);
  if (answers.some((answer) => answer.kind === 'records'))
    return { kind: 'hosts', hosts: [{ preference: 0, host: plainName(domain) }] };
  return answers.find((answer) => answer.kind === 'temporary') ?? { kind: 'no-domain' };
}

const isRoot = (exchange: string): boolean => exchange === '' || exchange === '.';

/** Left out: an address where a name must stand (RFC 1035 §3.3.9), this machine, and the root beside other records. */
function isUsable({ exchange }: MxRecord): boolean {
  return !isRoot(exchange) && !isIP(exchange) && exchange !== 'localhost' && !exchange.endsWith('.localhost');
}

function orderHosts(records: readonly MxRecord[], random: () => number): readonly MxHost[] {
  const shuffled = records
    .map(({ preference, exchange }) => ({ preference, host: plainName(exchange), rank: random() }))
    .sort((a, b) => a.preference - b.preference || a.rank - b.rank);
  const unique = shuffled.filter((mx, at) => shuffled.findIndex((other) => other.host === mx.host) === at);
  const taken = new Map<number, number>();
  const bounded = unique.filter(({ preference }) => {
    taken.set(preference, (taken.get(preference) ?? 0) + 1);
    return (taken.get(preference) ?? 0) <= PER_PREFERENCE;
  });
  return bounded.slice(0, IN_ALL).map(({ preference, host }) => ({ preference, host }));
}

/** RFC 5321 §4.1.3. */
function addressLiteral(domain: string): string | null {
  const inner = /^\[(?:IPv6:)?([^\]]+)\]$/i.exec(domain)?.[1];
  return inner && isIP(inner) ? inner : null;
}
