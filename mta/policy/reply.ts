// What an SMTP reply means for the recipients it stands for. A permanent code (5yz) is permanent only where a recipient or
// the message is spoken of: before MAIL it says something about the host or about us, and another host may see it otherwise.
import { isRateLimit, isSourceBlock, REPLY_CLASSES, type ReplyClass } from './replyclass.ts';

/** Where in the dialogue the reply came: `greeting` is the banner, `tls` the handshake after STARTTLS, `dot` the end of data. */
export type Phase = 'greeting' | 'ehlo' | 'starttls' | 'tls' | 'auth' | 'mail' | 'rcpt' | 'data' | 'dot';

export interface SmtpReply {
  /** The three digits; null when the connection failed or ended without a reply. */
  readonly code: number | null;
  /** The enhanced status (RFC 3463) such as "5.2.2"; null: looked for at the start of `text`. */
  readonly enhanced: string | null;
  readonly text: string;
  readonly phase: Phase;
}

/**
 * - `proceed`: this step of the dialogue went well; nothing is final yet.
 * - `delivered`: the remote took responsibility for the message (2yz after the final dot).
 * - `deferred`: wait and try again. `scope` says what it speaks of: this `recipient`, the whole `connection` (another MX may
 *   take it now), or the `provider` (it asks us to send less: no other MX will help).
 * - `bounced`: final for the recipients the reply stands for.
 * - `address-refused`: our source address is refused before any recipient was named. The recipient waits as with `deferred`;
 *   another source address may be welcome.
 */
export type Verdict =
  | { readonly kind: 'proceed' }
  | { readonly kind: 'delivered' }
  | {
      readonly kind: 'deferred';
      readonly scope: 'recipient' | 'connection' | 'provider';
      readonly class: ReplyClass;
    }
  | { readonly kind: 'bounced'; readonly class: ReplyClass }
  | { readonly kind: 'address-refused'; readonly class: ReplyClass };

/** Classifies one reply. Pure; never throws, whatever the remote wrote. */
export function classifyReply(reply: SmtpReply): Verdict {
  const { code, text, phase } = reply;
  if (code === null) return { kind: 'deferred', scope: 'connection', class: 'connection-lost' };
  if (code >= 200 && code < 400)
    return phase === 'dot' && code < 300 ? { kind: 'delivered' } : { kind: 'proceed' };
  if (code < 200 || code > 599) return { kind: 'deferred', scope: 'connection', class: 'protocol-error' };
  const replyClass = classOf(reply);
  // 421 ends the connection whatever was asked (RFC 5321 §3.8); it never speaks of a recipient alone.
  if (code === 421)
    return { kind: 'deferred', scope: isRateLimit(reply) ? 'provider' : 'connection', class: replyClass };
  if (!speaksOfMail(phase)) return beforeMail(reply, replyClass);
  if (isRateLimit(reply)) return { kind: 'deferred', scope: 'provider', class: 'rate-limited' };
  if (code < 500 || isTemporaryDespiteCode(code, phase, text))
    return { kind: 'deferred', scope: 'recipient', class: replyClass };
  return { kind: 'bounced', class: replyClass };
}

/** The enhanced status of a reply: as given, or read from the start of its text; null when there is none. */
export function enhancedStatus(reply: Pick<SmtpReply, 'enhanced' | 'text'>): string | null {
  return reply.enhanced ?? /^\s*([245]\.\d{1,3}\.\d{1,3})\b/.exec(reply.text)?.[1] ?? null;
}

const speaksOfMail = (phase: Phase): boolean =>
  phase === 'mail' || phase === 'rcpt' || phase === 'data' || phase === 'dot';

/** Greeting, EHLO, STARTTLS: not the recipient's fault even with a 5yz (RFC 5321 §5.1: try the other MX hosts). */
function beforeMail(reply: SmtpReply, replyClass: ReplyClass): Verdict {
  if (isRateLimit(reply)) return { kind: 'deferred', scope: 'provider', class: 'rate-limited' };
  if (isSourceBlock(reply)) return { kind: 'address-refused', class: 'source-blocked' };
  return { kind: 'deferred', scope: 'connection', class: replyClass };
}

/** Permanent codes that RFCs or servers use for what passes. */
function isTemporaryDespiteCode(code: number, phase: Phase, text: string): boolean {
  // RFC 5321 §4.5.3.1.10: older servers answer 552 to the recipient that is one too many.
  if (code === 552 && phase === 'rcpt') return /too many recipients/i.test(text);
  // RFC 3207 §4: the server wants STARTTLS first; the next attempt may have it.
  return code === 530 && /starttls|tls/i.test(text);
}

function classOf(reply: SmtpReply): ReplyClass {
  const status = enhancedStatus(reply);
  const facts = { code: reply.code ?? 0, status, text: reply.text, phase: reply.phase };
  return REPLY_CLASSES.find((rule) => rule.when(facts))?.name ?? 'other';
}
