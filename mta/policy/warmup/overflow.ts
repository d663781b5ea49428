// Which kind of address a message should go over while some of the pool are being warmed up.
// "Most engaged first": an address is warmed up by mail that is opened, so marked messages get the allowance of young addresses,
// and the rest goes over warmed ones; where there is none, the rest may use the part of the allowance that the day has already
// earned, so that engaged mail of the evening still finds room.

/** An address of the pool, for one provider. */
export interface Candidate {
  readonly address: string;
  readonly warmed: boolean;
  /** Recipients it may still take today; Infinity for no limit by warm-up. */
  readonly room: number;
  /** The day's allowance; Infinity for none. */
  readonly allowance: number;
  /** When its day ends, ms since the epoch. */
  readonly endsAt: number;
  /** Suspended, held by nobody, at its connection limit: not now, for another reason than the allowance. */
  readonly blocked: boolean;
}
export interface OverflowPolicy {
  readonly overflow: 'Wait' | 'Warmed';
  readonly engagedFirst: boolean;
}
export type Route =
  | { readonly kind: 'Use'; readonly addresses: readonly string[] } // any of these, by weight and stickiness
  | { readonly kind: 'Wait'; readonly until: number }
  | { readonly kind: 'Blocked' }; // no address is fit now, and it is not for the allowance

/** @param dayShare how much of the day has gone, 0 to 1. */
export function routeFor(
  engaged: boolean,
  candidates: readonly Candidate[],
  policy: OverflowPolicy,
  dayShare: number,
): Route {
  const fit = candidates.filter((one) => !one.blocked);
  if (fit.length === 0) return { kind: 'Blocked' };
  const ordinary = policy.engagedFirst && !engaged;
  const young = fit.filter((one) => !one.warmed && (ordinary ? earned(one, dayShare) : one.room) >= 1);
  const warmed = fit.filter((one) => one.warmed && one.room >= 1);
  const [first, second] = ordinary ? [warmed, young] : [young, allowsWarmed(policy, fit) ? warmed : []];
  const chosen = first.length ? first : second;
  if (chosen.length) return { kind: 'Use', addresses: chosen.map((one) => one.address) };
  return { kind: 'Wait', until: Math.min(...fit.map((one) => one.endsAt)) };
}

/** A pool of warmed addresses only has no overflow to speak of. */
const allowsWarmed = (policy: OverflowPolicy, fit: readonly Candidate[]): boolean =>
  policy.overflow === 'Warmed' || fit.every((one) => one.warmed);

/** What ordinary mail may take now: the room minus what is kept for engaged mail of the rest of the day. */
const earned = ({ room, allowance }: Candidate, dayShare: number): number =>
  room - allowance * (1 - Math.min(1, Math.max(0, dayShare)));
