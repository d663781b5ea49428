// Which source addresses to send from, in order. Pure; the random number and what is known of warm-up are passed in.
import type { AddressLease, IPPoolSnapshot } from '../bus/snapshot.ts';
import { type Candidate, routeFor } from '../policy/warmup/overflow.ts';
import type { Room } from './rooms.ts';

export interface Source {
  readonly address: string;
  readonly lease: AddressLease;
}

/** What a message says about where it may come from. */
export interface Origin {
  /** The domain of its account that it is sent for. */
  readonly sendingDomain: string;
  /** Marked as wanted by its recipient: it may have the allowance of young addresses first. */
  readonly engaged: boolean;
  /** The address it was deferred from last: a greylisted message must return from it. */
  readonly sticky: string | null;
  /** The address that was refused for its own reputation: the next attempt goes from another, if there is one. */
  readonly avoid: string | null;
}

export interface Knowledge {
  readonly ipPool: Pick<IPPoolSnapshot, 'addresses' | 'warmup' | 'dedicated'>;
  readonly leases: ReadonlyMap<string, AddressLease>;
  /** What is known of the address at the provider in question. */
  readonly room: (address: string) => Room | null;
  /** ms since the epoch. */
  readonly now: number;
  /** Gives numbers in [0, 1). */
  readonly random: () => number;
}

export interface Choice {
  /** Best first; the later ones are for when the earlier have no connection to give. */
  readonly sources: readonly Source[];
  /** How many of them come first because of warm-up, or because the message returns from there; the rest is for the overflow. */
  readonly first: number;
  /** Without sources: until when warm-up makes it wait, ms since the epoch; null: it is not for warm-up. */
  readonly until: number | null;
}

type Address = IPPoolSnapshot['addresses'][number];
interface Usable extends Source {
  readonly weight: number;
  readonly candidate: Candidate;
}

const DAY_MS = 86_400_000;

/** Orders the addresses of the pool that an egress pod holds and this message may use. */
export function chooseSources(origin: Origin, known: Knowledge): Choice {
  const all = withoutAvoided(usable(origin, known), origin.avoid);
  const tiers: Usable[] = [];
  let preferred: ReadonlySet<string> | null = null;
  let candidates = all.map(({ candidate }) => candidate);
  for (;;) {
    const route = routeFor(origin.engaged, candidates, policyOf(known), dayShare(candidates, known.now));
    if (route.kind !== 'Use') {
      const sources = stickyFirst(tiers, all, origin.sticky);
      if (sources.length === 0) return { sources, first: 0, until: waitUntil(route, candidates) };
      const isFirst = ({ address }: Source) => address === origin.sticky || preferred?.has(address) === true;
      return { sources, first: sources.filter(isFirst).length, until: null };
    }
    const names = new Set(route.addresses);
    preferred ??= names;
    tiers.push(
      ...byWeight(
        all.filter(({ address }) => names.has(address)),
        known.random,
      ),
    );
    candidates = candidates.map((one) => (names.has(one.address) ? { ...one, room: 0 } : one));
  }
}

function usable(origin: Origin, { ipPool, leases, room }: Knowledge): Usable[] {
  const mine = ipPool.dedicated?.[origin.sendingDomain];
  const others = new Set(mine ? [] : Object.values(ipPool.dedicated ?? {}).flat());
  return ipPool.addresses.flatMap((one) => {
    const { address, weight } = one;
    if (mine ? !mine.includes(address) : others.has(address)) return [];
    const lease = leases.get(address);
    if (!lease || lease.released || lease.leaving || lease.unfit) return [];
    // Weight 0 takes no new mail, but what is bound to it still returns from it.
    if (weight === 0 && address !== origin.sticky) return [];
    return [{ address, lease, weight, candidate: candidateOf(one, room(address), ipPool) }];
  });
}

function candidateOf(
  { address, warmed }: Address,
  room: Room | null,
  { warmup }: Pick<IPPoolSnapshot, 'warmup'>,
): Candidate {
  if (!warmup || warmed || room?.kind === 'Warmed')
    return { ...NO_LIMIT, address, warmed: true, blocked: false };
  // Not known yet: worth one question, whatever kind of mail it is.
  if (!room)
    return { address, warmed: false, room: 1, allowance: 0, endsAt: NO_LIMIT.endsAt, blocked: false };
  const { allowance, endsAt, suspended } = room;
  return { address, warmed: false, room: room.room, allowance, endsAt, blocked: suspended };
}
const NO_LIMIT = {
  room: Number.POSITIVE_INFINITY,
  allowance: Number.POSITIVE_INFINITY,
  endsAt: Number.POSITIVE_INFINITY,
};

const policyOf = ({ ipPool: { warmup } }: Knowledge) => warmup ?? { overflow: 'Warmed', engagedFirst: false };

/** How much of the day has gone, where a day that is under way says when it ends. */
function dayShare(candidates: readonly Candidate[], now: number): number {
  const endsAt = Math.min(...candidates.map((one) => one.endsAt));
  return Number.isFinite(endsAt) ? 1 - (endsAt - now) / DAY_MS : 1;
}

/** An address that refused is better than none. */
function withoutAvoided(all: readonly Usable[], avoid: string | null): readonly Usable[] {
  const rest = all.filter(({ address }) => address !== avoid);
  return rest.length > 0 ? rest : all;
}

/** Exponential spacing with the weight as rate: the order is that of weighted draws without replacement. */
function byWeight(list: readonly Usable[], random: () => number): Usable[] {
  return list
    .map((one) => ({ one, rank: one.weight > 0 ? -Math.log(1 - random()) / one.weight : Infinity }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ one }) => one);
}

/** It returns from where it was deferred, if that address may take anything today. */
function stickyFirst(tiers: readonly Usable[], all: readonly Usable[], sticky: string | null): Source[] {
  const bound = all.find(
    ({ address, candidate }) => address === sticky && !candidate.blocked && candidate.room >= 1,
  );
  const rest = tiers.filter((one) => one !== bound && one.weight > 0);
  return [...(bound ? [bound] : []), ...rest].map(({ address, lease }) => ({ address, lease }));
}

function waitUntil(
  route: { readonly kind: string; readonly until?: number },
  all: readonly Candidate[],
): number | null {
  const ends = route.until ?? Math.min(...all.map(({ endsAt }) => endsAt));
  return Number.isFinite(ends) ? ends : null;
}
