// An address that its holder brings up. Each time it gets a lifetime in the kernel that ends with the lease: a holder that is killed,
// or stopped in mid-breath, loses the address without doing anything for it, before anybody else may begin. It is deprecated from
// the start (preferred_lft 0), so that nothing else on the node comes to send from it.
import { isIPv6 } from 'node:net';
import type { Link } from './interfaces.ts';
import type { Links } from './links.ts';
import type { Presence } from './presence.ts';

export interface BringUpParts {
  readonly links: Links;
  /** Where it is to be; null: this machine has no such interface. */
  readonly link: () => Link | null;
  readonly announce: (link: Link, address: string) => Promise<void>;
  readonly later: (ms: number, run: () => void) => unknown;
  readonly warn: (error: unknown) => void;
}

/** The kernel looks once a second. */
const KERNEL_LAG_MS = 1_000;
const ANNOUNCE_AGAIN_MS = [1_000, 4_000];

/** @param where how people name the place, for the obstacle */
export function broughtUpPresence(address: string, where: string, parts: BringUpParts): Presence {
  const { links, link, announce, later, warn } = parts;
  const prefix = `${address}/${isIPv6(address) ? 128 : 32}`;
  let on: Link | null = null;
  const tell = (to: Link) => (on === to ? announce(to, address).catch(warn) : undefined);
  return {
    obstacle: () => (link() ? null : `this machine has no ${where}`),
    async raise(ms) {
      const found = link();
      if (!found) throw new Error(`this machine has no ${where}`);
      await links.run(raised(prefix, found, ms));
      if (on?.name === found.name) return;
      on = found;
      // Not waited for: it can be used at once, and a neighbour that does not hear the first word hears the next.
      void tell(found);
      for (const again of ANNOUNCE_AGAIN_MS) later(again, () => void tell(found));
    },
    async lower() {
      const from = on;
      on = null;
      // When it is gone already, by its lifetime, that is what was wanted.
      if (from) await links.run(`address del ${prefix} dev ${from.name}`).catch(() => {});
    },
  };
}

/** For at most `ms`, in the whole seconds that the kernel counts. Pure. */
export function raised(prefix: string, { name }: Link, ms: number): string {
  const seconds = Math.max(1, Math.floor((ms - KERNEL_LAG_MS) / 1000));
  const noWait = prefix.includes(':') ? ' nodad' : '';
  return `address replace ${prefix} dev ${name} valid_lft ${seconds} preferred_lft 0${noWait}`;
}
