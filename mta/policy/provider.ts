// Whose limits hold for a destination: a provider named in the policy, one of the shipped ones, or else the site, which is
// the registrable domain of the MX host, so that all hosts under one operator's domain share a limit.
import { getDomain } from 'tldts';
import type { QueuePolicySpec } from '../../resources/kinds.ts';
import { SHIPPED_PROVIDERS } from './providers.ts';

export type Shaping = QueuePolicySpec['shaping'];
export type Limits = Shaping['default'];
export interface Provider {
  /** A provider's name (no dot in it), or a site's domain. */
  readonly name: string;
  readonly limits: Limits;
  /** The policy itself names it, by what it says of its hosts or domains. */
  readonly isNamed: boolean;
}

/** What a provider is recognised by; `limits` holds only what differs from the default. */
export interface ProviderRule {
  readonly name: string;
  readonly mxSuffixes: readonly string[];
  readonly domains: readonly string[];
  readonly limits: Partial<Limits>;
}

/**
 * The provider of a destination. The policy's own providers are asked before the shipped ones; one that has a shipped name
 * overrides only the limits it states. A host matches an MX suffix when it equals it or ends with a dot and it.
 * @param domain the recipient domain.
 * @param mxHosts the MX hosts in question, the one connected to first; empty: the domain stands for itself (implicit MX).
 */
export function providerOf(shaping: Shaping, domain: string, mxHosts: readonly string[]): Provider {
  const hosts = hostsOf(domain, mxHosts);
  const given = shaping.providers.find((rule) => matches(rule, plain(domain), hosts));
  const shipped = given
    ? SHIPPED_PROVIDERS.find((rule) => rule.name === given.name)
    : shippedFor(domain, hosts);
  const name = (given ?? shipped)?.name;
  if (name === undefined)
    return { name: siteOf(hosts[0] ?? plain(domain)), limits: shaping.default, isNamed: false };
  const override = given ?? shaping.providers.find((rule) => rule.name === name);
  return { name, limits: over(shaping.default, shipped, override), isNamed: given !== undefined };
}

/** What a destination is called when no policy names it: a shipped provider, or its site. */
export function unnamedProvider(domain: string, mxHosts: readonly string[]): string {
  const hosts = hostsOf(domain, mxHosts);
  return shippedFor(domain, hosts)?.name ?? siteOf(hosts[0] ?? plain(domain));
}

const hostsOf = (domain: string, mxHosts: readonly string[]): string[] =>
  (mxHosts.length ? mxHosts : [domain]).map(plain);

const shippedFor = (domain: string, hosts: readonly string[]): ProviderRule | undefined =>
  SHIPPED_PROVIDERS.find((rule) => matches(rule, plain(domain), hosts));

/** The limits at a provider of that name; a policy that does not know it takes it for a site. */
export function limitsNamed(shaping: Shaping, name: string): Limits {
  const given = shaping.providers.find((rule) => rule.name === name);
  const shipped = SHIPPED_PROVIDERS.find((rule) => rule.name === name);
  return over(shaping.default, shipped, given);
}

/** Field by field; a cap over the pool as well. */
function over(
  base: Limits,
  shipped: ProviderRule | undefined,
  given: Shaping['providers'][number] | undefined,
): Limits {
  const all = { ...base, ...shipped?.limits, ...stated(given?.limits) };
  const pool = { ...base.pool, ...stated(given?.limits.pool) };
  return Object.keys(pool).length > 0 ? { ...all, pool } : all;
}

function matches(
  rule: ProviderRule | Shaping['providers'][number],
  domain: string,
  hosts: readonly string[],
) {
  return (
    rule.domains.some((own) => plain(own) === domain) ||
    rule.mxSuffixes.some((suffix) => hosts.some((host) => endsWith(host, plain(suffix))))
  );
}

const endsWith = (host: string, suffix: string): boolean => host === suffix || host.endsWith(`.${suffix}`);
const plain = (name: string): string => name.toLowerCase().replace(/^\.|\.$/g, '');
/** The registrable domain by the public suffix list; the host itself when it has none (an address, a single label). */
const siteOf = (host: string): string => getDomain(host) ?? host;

function stated<T extends object>(limits: T | undefined): Partial<T> {
  return Object.fromEntries(
    Object.entries(limits ?? {}).filter(([, value]) => value !== undefined),
  ) as Partial<T>;
}
