// Domain → site: the hosts that take its mail, and the provider that is counted. The site is the unit of concurrency and of
// connection reuse, so ten thousand domains behind the same MX hosts share their connections.
import type { MxHost, MxResult } from '../dns/mx.ts';
import type { Route } from './ports.ts';

const KEEP_MS = 60_000;
const MOST_KEPT = 20_000;

export class Routes {
  readonly #lookup: (domain: string) => Promise<MxResult>;
  readonly #provider: (domain: string, hosts: readonly string[]) => string;
  readonly #now: () => number;
  readonly #known = new Map<string, { readonly route: Route; readonly until: number }>();
  readonly #asking = new Map<string, Promise<Route>>();

  constructor(
    lookup: (domain: string) => Promise<MxResult>,
    provider: (domain: string, hosts: readonly string[]) => string,
    monotonic: () => number,
  ) {
    this.#lookup = lookup;
    this.#provider = provider;
    this.#now = monotonic;
  }

  /** The site of a domain when it is known already, else null. */
  knownSite(domain: string): string | null {
    const known = this.#known.get(domain);
    return known?.route.kind === 'site' ? known.route.site : null;
  }

  /** Never rejects: what DNS does not say is `unknown`. */
  route(domain: string): Promise<Route> {
    const known = this.#known.get(domain);
    if (known && known.until > this.#now()) return Promise.resolve(known.route);
    let asking = this.#asking.get(domain);
    if (!asking) {
      asking = this.#ask(domain).finally(() => this.#asking.delete(domain));
      this.#asking.set(domain, asking);
    }
    return asking;
  }

  /** Forgets everything: the policy's providers have changed. */
  clear(): void {
    this.#known.clear();
  }

  async #ask(domain: string): Promise<Route> {
    const answer = await this.#lookup(domain).catch(
      (error: unknown): MxResult => ({ kind: 'temporary', reason: (error as Error).message }),
    );
    const route = this.#site(domain, answer);
    // The resolver below has the proper caches; this one only spares it the same question a thousand times a second.
    if (this.#known.size >= MOST_KEPT) this.#known.clear();
    if (route.kind !== 'unknown') this.#known.set(domain, { route, until: this.#now() + KEEP_MS });
    return route;
  }

  #site(domain: string, answer: MxResult): Route {
    switch (answer.kind) {
      case 'null-mx':
        return { kind: 'none', reply: `556 5.1.10 ${domain} takes no mail (null MX)` };
      case 'no-domain':
        return { kind: 'none', reply: `550 5.1.2 ${domain} does not exist or has no mail host` };
      case 'temporary':
        return { kind: 'unknown', reply: `4.4.3 DNS: ${answer.reason}` };
      case 'hosts':
        return this.#siteOf(domain, answer.hosts);
    }
  }

  #siteOf(domain: string, hosts: readonly MxHost[]): Route {
    const ordered = [...hosts].sort((a, b) => a.preference - b.preference || (a.host < b.host ? -1 : 1));
    const provider = this.#provider(
      domain,
      ordered.map(({ host }) => host),
    );
    const name = ordered.map(({ host, preference }) => `${preference}:${host}`).join(',');
    return { kind: 'site', site: `${provider} ${name}`, provider, hosts: ordered };
  }
}
