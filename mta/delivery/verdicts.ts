// What an attempt comes to that brought no reply of its own, how two of them compare, and what a reply says of more than its recipients. Pure.
import type { AttemptResult, Task, Verdict } from './ports.ts';
import { meaningOf } from './results.ts';

/** How soon an address may be held again. */
const NO_ADDRESS_SECONDS = 2;

/** What came of trying one host from one source. */
export type Try =
  | { readonly kind: 'done'; readonly result: AttemptResult }
  /** Another host may do. */
  | { readonly kind: 'nextHost'; readonly verdict: Verdict }
  /** The host has no address that can be reached from this source. */
  | { readonly kind: 'nextFamily'; readonly verdict: Verdict }
  /** This source has no room or is not there; another may do. */
  | { readonly kind: 'nextSource'; readonly verdict: Verdict };

/** There is no room now. */
export const wait = (retryAfterSeconds: number, why: string): Verdict => ({
  kind: 'noRoom',
  retryAfterSeconds,
  why,
});

/** What is left of the day may be longer, but the policy may change meanwhile, and looking again costs nothing: nobody is asked. */
export const LONGEST_WARMUP_WAIT = 60;
export const untilTomorrow = (seconds: number): Verdict =>
  wait(Math.min(LONGEST_WARMUP_WAIT, Math.max(1, seconds)), 'the warm-up allowance of the day is used up');

/** Why an address is not asked for a while, by what egress refused with. */
export const FULL = {
  ConnectionLimit: 'connection limit reached',
  PoolConnectionLimit: 'connection cap of the IPPool reached',
  RateLimit: 'rate limit reached',
  PoolRateLimit: 'rate cap of the IPPool reached',
} as const;

/** The address that the recipients return from has no room now, and others have. */
export const waitToReturn = (retryAfterSeconds: number): Verdict => ({
  ...{ kind: 'noRoom', retryAfterSeconds, why: 'the address it returns from has no room' },
  returns: true,
});

export const NO_ADDRESS = wait(NO_ADDRESS_SECONDS, 'no address of the IP pool is held by an egress pod');

/** The same for every address, and no host or source to name. */
export const all = (task: Task, addresses: readonly string[], verdict: Verdict): AttemptResult => ({
  verdicts: addresses.map(() => verdict),
  source: null,
  provider: task.provider,
  host: null,
});

/** Of two waits the shorter: the first address that has room again will do. */
export function shorter(known: Verdict, next: Verdict): Verdict {
  if (known.kind !== 'noRoom' || next.kind !== 'noRoom' || known.retryAfterSeconds === NO_ADDRESS_SECONDS)
    return next;
  return next.retryAfterSeconds < known.retryAfterSeconds ? next : known;
}

/** The host refused the source address, not the message. */
export const refusesAddress = (verdict: Verdict): boolean =>
  verdict.kind === 'reply' && meaningOf(verdict.reply, verdict.phase).kind === 'address-refused';

/** A reply that ends the connection and says nothing of the recipients. */
export function isConnectionScope(reply: string, atMail: boolean): boolean {
  const meaning = meaningOf(reply, atMail ? 'mail' : 'dot');
  return atMail && meaning.kind === 'deferred' && meaning.scope === 'connection';
}

/** The address cannot be used for it now: the next one is asked. */
export const nextSource = (verdict: Verdict): Try => ({ kind: 'nextSource', verdict });
