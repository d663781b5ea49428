// How a mail exchanger behaves, and what it therefore answers. Pure: time, counts and first sightings are passed in.
import { createHash } from 'node:crypto';

export type Stage = 'connect' | 'ehlo' | 'mail' | 'rcpt' | 'data' | 'dot';
export type TlsKind = 'good' | 'self-signed' | 'expired' | 'wrong-name' | 'none';

/** Everything absent: it accepts. Seconds and milliseconds are wall time of the internet's process. */
export interface Behaviour {
  /** 451 at RCPT until this long after (source network, sender, recipient) was first seen. */
  readonly greylistSeconds?: number;
  /** 4xx at RCPT for this share of recipients (chosen by hash, so always the same), until `forSeconds` after the first attempt. */
  readonly defer?: { readonly share: number; readonly forSeconds: number; readonly reply?: string };
  /** 5xx at RCPT for these local parts, or for this share of recipients (1: all). */
  readonly refuse?: {
    readonly localParts?: readonly string[];
    readonly share?: number;
    readonly reply?: string;
  };
  /** 4xx or 5xx after the final dot, for this share of messages. */
  readonly refuseMessage?: { readonly share: number; readonly reply: string };
  /** Waits before it answers at a stage. */
  readonly delayMs?: Partial<Readonly<Record<Stage, number>>>;
  /** Closes the connection instead of answering the final dot, the first `times` for each message; `record`: having taken it. */
  readonly dropAfterDot?: { readonly share: number; readonly record: boolean; readonly times: number };
  readonly tls?: TlsKind;
  /** 421 to MAIL after so many messages. */
  readonly maxMessagesPerConnection?: number;
  /** 421 instead of a greeting when more are open. */
  readonly maxConnections?: number;
  readonly smtpUtf8?: boolean;
}

/** What is known when a RCPT is judged. Ages count from the first time it was seen, 0 then. */
export interface RcptFacts {
  readonly recipient: string;
  /** Since (source network, sender, recipient) was first seen. */
  readonly tripleAgeSeconds: number;
  /** Since this recipient was first tried. */
  readonly recipientAgeSeconds: number;
  readonly smtpUtf8: boolean;
}

const OK = '250 2.0.0 ok';

export function answerRcpt(behaviour: Behaviour, facts: RcptFacts): string {
  const { refuse, defer, greylistSeconds } = behaviour;
  const local = facts.recipient.slice(0, facts.recipient.lastIndexOf('@')).toLowerCase();
  if (/[^\x20-\x7e]/.test(facts.recipient) && !(behaviour.smtpUtf8 && facts.smtpUtf8))
    return '553 5.6.7 address needs SMTPUTF8';
  if (refuse?.localParts?.includes(local) || chosen(facts.recipient, 'refuse', refuse?.share))
    return refuse?.reply ?? '550 5.1.1 no such user here';
  if (greylistSeconds && facts.tripleAgeSeconds < greylistSeconds)
    return `451 4.7.1 greylisted, come back in ${Math.ceil(greylistSeconds - facts.tripleAgeSeconds)} seconds`;
  if (defer && facts.recipientAgeSeconds < defer.forSeconds && chosen(facts.recipient, 'defer', defer.share))
    return defer.reply ?? '452 4.2.2 mailbox busy, try again later';
  return OK;
}

export type DotAnswer = {
  readonly take: boolean /** null: the connection is dropped. */;
  readonly reply: string | null;
};

/** `drops`: how often the connection was dropped for this message already. `message` identifies it. */
export function answerDot(behaviour: Behaviour, message: string, drops: number): DotAnswer {
  const { refuseMessage, dropAfterDot } = behaviour;
  if (dropAfterDot && drops < dropAfterDot.times && chosen(message, 'drop', dropAfterDot.share))
    return { take: dropAfterDot.record, reply: null };
  if (refuseMessage && chosen(message, 'message', refuseMessage.share))
    return { take: false, reply: refuseMessage.reply };
  return { take: true, reply: OK };
}

/** Whether this one belongs to the share: by hash, the same at every attempt. */
export function chosen(what: string, salt: string, share = 0): boolean {
  const hash = createHash('sha256').update(`${salt}\n${what.toLowerCase()}`).digest().readUInt32BE(0);
  return hash / 2 ** 32 < share;
}

/** Greylisting looks at the network, not the address (/24 and /64). */
export function networkOf(address: string): string {
  return address.includes(':')
    ? address.split(':').slice(0, 4).join(':')
    : address.split('.').slice(0, 3).join('.');
}
