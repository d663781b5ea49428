// The addresses of an MX host, for whoever connects to it.
import { isIP } from 'node:net';
import type { Resolver } from './answer.ts';

export interface HostAddress {
  readonly address: string;
  readonly family: 4 | 6;
}

export type HostResult =
  /** Never empty; IPv4 before IPv6, in the order the server gave. */
  | { readonly kind: 'addresses'; readonly addresses: readonly HostAddress[] }
  | { readonly kind: 'no-host' }
  | { readonly kind: 'temporary'; readonly reason: string };

/**
 * Resolves a host name, or takes an IP address as it is. Never rejects. What one family gives is used although the other fails.
 * @param families which are of use: the families of the source addresses.
 */
export async function resolveHost(
  resolver: Resolver,
  host: string,
  families: readonly (4 | 6)[] = [4, 6],
): Promise<HostResult> {
  const literal = isIP(host);
  if (literal === 4 || literal === 6)
    return { kind: 'addresses', addresses: [{ address: host, family: literal }] };
  const wanted = ([4, 6] as const).filter((family) => families.includes(family));
  const answers = await Promise.all(
    wanted.map((family) => resolver.query(host, family === 4 ? 'A' : 'AAAA')),
  );
  const addresses = answers.flatMap((answer, at) =>
    answer.kind === 'records'
      ? answer.records.flatMap((record) =>
          record.type === 'A' || record.type === 'AAAA'
            ? [{ address: record.data, family: wanted[at] ?? 4 }]
            : [],
        )
      : [],
  );
  if (addresses.length > 0) return { kind: 'addresses', addresses };
  return answers.find((answer) => answer.kind === 'temporary') ?? { kind: 'no-host' };
}
