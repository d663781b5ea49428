// A cap over the whole pool when its addresses are held by several pods: what a borrower and its lender say to each other. One of the pods, by
// a lease of its own, lends parts of the cap to the others (and to itself) for a short time: open connections as a share, recipients and
// connection attempts as units.
//
// The borrower counts the end of a loan from when it asked, the lender from when it answered, so the borrower has always stopped first;
// what it was lent and has not accounted for by then counts as used. A question states totals and has a number, and a borrower takes the answer to its latest
// question only: so whatever is lost, late or repeated changes nothing.
import { SLICE_SHARE, type WindowLimits } from './budget.ts';
import type { WindowName } from './window.ts';

/** How long a loan lasts from the last question on. */
export const LOAN_MS = 9000;
/** How often a borrower asks at least, so that a new lender is found while the loan lasts. */
export const RENEW_MS = 1000;

/** Over all addresses of an IPPool at one provider; null: no cap. */
export interface PoolLimits {
  readonly connections: number | null;
  readonly attemptsPerMinute: number | null;
  readonly messages: WindowLimits;
}

/** Units of one kind as a borrower states them. */
export interface Stock {
  /** What it has, free and in open grants. */
  readonly held: number;
  /** Of all it was ever lent under this loan, how many were used. */
  readonly used: number;
  /** How many were used without having been lent: granted while there was no cap. */
  readonly besides: number;
  /** How many it would have. */
  readonly want: number;
}

export interface LoanRequest {
  /** Made by the borrower; another one after a loan has ended. */
  readonly loan: string;
  /** Rises with each question of the loan. */
  readonly number: number;
  readonly connections: {
    /** What it holds itself to from now on: its share, or as many as are open if that is more. */
    readonly held: number;
    readonly want: number;
    /** Open ones that no loan covers: granted while there was no cap. */
    readonly besides: number;
  };
  readonly messages: Stock;
  readonly attempts: Stock;
}

/** Why there was less than was wanted. */
export interface Short {
  readonly limit: WindowName | 'attempts';
  readonly retryMs: number;
}

export type LoanAnswer =
  | {
      readonly verdict: 'lent';
      /** How many connections may be open from now on; null: no cap. */
      readonly connections: number | null;
      /** So many more than it has. */
      readonly messages: number;
      readonly attempts: number;
      readonly short: Short | null;
    }
  /** The loan is over: what was granted under it has to go. */
  | { readonly verdict: 'ended' }
  /** A later question has been answered, or nothing can be said now: what is lent stays as it is. */
  | { readonly verdict: 'nothing' };

export const hasWindows = ({ second, minute, hour, day }: WindowLimits): boolean =>
  [second, minute, hour, day].some((limit) => limit != null);

/** How many free units a pod may keep ahead of need: a slice of the least limit. */
export function mostAhead(limits: WindowLimits): number {
  const { second, minute, hour, day } = limits;
  const least = Math.min(...[second, minute, hour, day].map((limit) => limit ?? Number.POSITIVE_INFINITY));
  return Math.max(1, Math.floor(least * SLICE_SHARE));
}
