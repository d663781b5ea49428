// What providers are called: a policy can give a site a name, another one later, and take it away.

export type NamesNow = Pick<Names, 'site' | 'name'>;

/** Where no policy names anything. */
export const NO_NAMES: NamesNow = { site: (provider) => provider, name: (site) => site };

export class Names {
  /** What the site asked for last under a name is called without a policy. */
  readonly #siteOf = new Map<string, string>();
  /** By the site, its name at the last question: of those that ever had one. */
  readonly #nameOf = new Map<string, string>();

  /** Takes in what a destination is called now; true: it was called otherwise before, so that what is known under this name may be old. */
  note(site: string, provider: string): boolean {
    if (site !== provider) this.#siteOf.set(provider, site);
    const before = this.#nameOf.get(site);
    if (before === provider || (before === undefined && site === provider)) return false;
    this.#nameOf.set(site, provider);
    return before !== undefined;
  }

  /** What it is called now. */
  name(site: string): string {
    return this.#nameOf.get(site) ?? site;
  }

  site(provider: string): string {
    return this.#siteOf.get(provider) ?? provider;
  }
}
