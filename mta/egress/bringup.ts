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
  /** Monotonic ms. */
  readonly now: () => number;
  readonly later: (ms: number, run: () => void) => unknown;
  readonly warn: (error: unknown) => void;
}

/** The kernel looks once a second. */
const KERNEL_LAG_MS = 1_000;
/** How long a renewal may wait for company; what is not up yet does not wait. */
const GATHER_MS = 400;
/** A lifetime that was set this late, on a machine that is short of breath, ends too late: it is set once more. */
const LATE_MS = 1_000;
const ANNOUNCE_AGAIN_MS = [1_000, 4_000];

/** @param where how people name the place, for the obstacle */
export function broughtUpPresence(address: string, where: string, parts: BringUpParts): Presence {
  const { links, link, announce, now, later, warn } = parts;
  const prefix = `${address}/${isIPv6(address) ? 128 : 32}`;
  let on: Link | null = null;
  const tell = (to: Link) => (on === to ? announce(to, address).catch(warn) : undefined);
  return {
    obstacle: () => (link() ? null : `this machine has no ${where}`),
    async raise(ms) {
      const found = link();
      if (!found) throw new Error(`this machine has no ${where}`);
      const endsAt = now() + ms;
      const renews = on?.name === found.name;
      let asked = 0;
      const line = () => {
        asked = now();
        return raised(prefix, found, endsAt - asked);
      };
      await links.run(line, renews ? GATHER_MS : 0);
      if (now() - asked > LATE_MS && now() < endsAt) await links.run(line, 0);
      if (renews) return;
      on = found;
      // Not waited for: it can be used at once, and a neighbour that does not hear the first word hears the next.
      void tell(found);
      for (const again of ANNOUNCE_AGAIN_MS) later(again, () => void tell(found));
    },
    async lower() {
      const from = on;
      on = null;
      // When it is gone already, by its lifetime, that is what was wanted.
      if (from) await links.run(() => `address del ${prefix} dev ${from.name}`, 0).catch(() => {});
    },
  };
}

/** For at most `ms`, in the whole seconds that the kernel counts. Pure. */
export function raised(prefix: string, { name }: Link, ms: number): string {
  const seconds = Math.max(1, Math.floor((ms - KERNEL_LAG_MS) / 1000));
  const noWait = prefix.includes(':') ? ' nodad' : '';
  return `address replace ${prefix} dev ${name} valid_lft ${seconds} preferred_lft 0${noWait}`;
}
