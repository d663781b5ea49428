// What a verdict means for a recipient. Pure: the fate is decided here, made durable in settle.ts.
import { durationSeconds } from '../../resources/duration.ts';
import type { Recipient } from '../message/parcel.ts';
import { classifyReply, type Verdict as Meaning, type Phase, type SmtpReply } from '../policy/reply.ts';
import { nextAttempt } from '../policy/retry.ts';
import type { Policy, Verdict } from './ports.ts';

/** What becomes of a recipient after an attempt. `waits` is the only one that is not an end. */
export type Fate =
  | { readonly kind: 'delivered'; readonly reply: string }
  | { readonly kind: 'bounced'; readonly reply: string }
  | { readonly kind: 'expired'; readonly reply: string }
  | { readonly kind: 'suppressed' }
  | { readonly kind: 'waits'; readonly recipient: Recipient; readonly counted: boolean };

export interface Circumstances {
  readonly policy: Policy;
  /** ms since the epoch. */
  readonly now: number;
  readonly acceptedAt: number;
  /** The address it was sent from, if one was chosen. */
  readonly source: string | null;
  /** Gives a number in [0, 1), for the jitter. */
  readonly random: () => number;
}

/** Longest reply kept with a recipient, in characters. */
const REPLY_LIMIT = 500;
/** In front of a kept reply: the recipient is refused for good, only its bounce is still to be published. */
const FINAL = { bounced: '!bounced ', expired: '!expired ' } as const;
/** How soon the publication of a bounce is tried again. */
const BOUNCE_RETRY_MS = 15_000;

/** Decides the fate of a recipient that was attempted. */
export function fateOf(recipient: Recipient, verdict: Verdict, at: Circumstances): Fate {
  switch (verdict.kind) {
    case 'reply': {
      const reply = verdict.reply.slice(0, REPLY_LIMIT);
      const { kind } = meaningOf(reply, verdict.phase);
      if (kind === 'delivered') return { kind: 'delivered', reply };
      if (kind === 'bounced') return { kind: 'bounced', reply };
      return kind === 'address-refused'
        ? deferred(fromAnother(recipient, at), reply, at, keepsAddress(recipient, at) ? at.source : null)
        : deferred(recipient, reply, at, at.source);
    }
    case 'failed':
    case 'unknown':
      return deferred(recipient, verdict.why.slice(0, REPLY_LIMIT), at, at.source ?? recipient.stickySource);
    case 'noRoom':
      return notAttempted(recipient, verdict.why, at);
    case 'aborted':
      return { kind: 'waits', recipient, counted: false };
  }
}

/** Reads `550 5.1.1 No such user` (lines of a longer reply joined by \n) as the policy room wants it. */
export function parseReply(reply: string, phase: Phase): SmtpReply {
  const text = reply
    .split('\n')
    .map((line) => line.replace(/^\d{3}[ -]?/, ''))
    .join(' ');
  const code = /^\d{3}/.exec(reply)?.[0];
  return { code: code ? Number(code) : null, enhanced: null, text, phase };
}

export const meaningOf = (reply: string, phase: Phase): Meaning => classifyReply(parseReply(reply, phase));

/** A final fate whose bounce cannot be published yet, as the spool keeps it. */
export function awaitingBounce(recipient: Recipient, fate: Fate & { reply: string }, now: number): Recipient {
  const mark = fate.kind === 'expired' ? FINAL.expired : FINAL.bounced;
  return { ...recipient, lastReply: mark + fate.reply, dueAt: now + BOUNCE_RETRY_MS };
}

/** The final fate of a recipient that only waits for its bounce; null for one that is to be attempted. */
export function keptFate(recipient: Recipient): Extract<Fate, { reply: string }> | null {
  const kept = recipient.lastReply ?? '';
  for (const kind of ['bounced', 'expired'] as const)
    if (kept.startsWith(FINAL[kind])) return { kind, reply: kept.slice(FINAL[kind].length) };
  return null;
}

/** Where the address itself is refused, the next attempt is made from another: once, or every address would be spent on one message. */
const keepsAddress = ({ avoidSource }: Recipient, { policy, source }: Circumstances): boolean =>
  policy.retry.otherAddress === 'Never' || avoidSource !== undefined || source === null;

const fromAnother = (recipient: Recipient, at: Circumstances): Recipient =>
  keepsAddress(recipient, at) ? recipient : { ...recipient, avoidSource: at.source ?? undefined };

/** A deferral counts an attempt, and ends the patience when the policy says so. */
function deferred(recipient: Recipient, reply: string, at: Circumstances, stickySource: string | null): Fate {
  const attempts = recipient.attempts + 1;
  const next = nextAttempt(at.policy.retry, attempts, at.acceptedAt, at.now, at.random);
  if (next.kind === 'expired') return { kind: 'expired', reply };
  return {
    kind: 'waits',
    counted: true,
    recipient: { ...recipient, attempts, dueAt: next.at, lastReply: reply, stickySource },
  };
}

/**
 * No connection was granted. Nothing is written: the site's block in the scheduler is what makes it wait. Past the maximum age it
 * expires all the same, or a destination that never has room would keep its mail for ever.
 */
function notAttempted(recipient: Recipient, why: string, at: Circumstances): Fate {
  const age = at.now - at.acceptedAt;
  return age >= durationSeconds(at.policy.retry.maxAge) * 1000
    ? { kind: 'expired', reply: recipient.lastReply ?? why }
    : { kind: 'waits', recipient, counted: false };
}
