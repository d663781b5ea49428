// What each ending of a transaction means for each of its recipients. Pure.
import type { Phase } from '../policy/reply.ts';
import type { Verdict } from './ports.ts';
import { wait } from './verdicts.ts';

/** An error of nodemailer, as far as it is read. */
export type SmtpError = Error & {
  readonly code?: string;
  readonly response?: string;
  readonly command?: string;
  readonly recipient?: string;
  readonly rejectedErrors?: readonly SmtpError[];
};
/** What nodemailer says of a transaction that went through. */
export interface Sent {
  readonly rejected: readonly string[];
  readonly rejectedErrors?: readonly SmtpError[];
  readonly response: string;
}

/** How a transaction stood when it failed. */
export interface Ending {
  readonly host: string;
  /** The final dot was on its way. */
  readonly pastDot: boolean;
  /** It was ended by us. */
  readonly aborted: boolean;
  /** Who had been refused by name until then. */
  readonly rejected: readonly SmtpError[];
}

/** RFC 6531 §3.5: final, for no later attempt will find the host otherwise. */
export const NO_UTF8: Verdict = {
  kind: 'reply',
  reply: '553 5.6.7 the host does not take addresses or headers beyond ASCII (no SMTPUTF8)',
  phase: 'rcpt',
};
export const GRANT_OVER = wait(1, 'the grant of the connection is over');
export const NO_VERDICT: Verdict = { kind: 'failed', why: '4.3.0 no result' };

/** The reply to DATA or to the final dot: those to the recipients stand. */
const isAfterRecipients = ({ code, command }: SmtpError): boolean =>
  code === 'EMESSAGE' || command === 'DATA';

const PHASES: Readonly<Record<string, Phase>> = { 'MAIL FROM': 'mail', 'RCPT TO': 'rcpt', DATA: 'data' };

/** The reply to the final dot is that of everybody who was not refused before. */
export function verdictsOfReply(sent: Sent, addresses: readonly string[]): Verdict[] {
  const replies = new Map(sent.rejectedErrors?.map((error) => [error.recipient, error.response ?? '']));
  return addresses.map((address) => {
    const refusal = replies.get(address);
    return refusal === undefined
      ? { kind: 'reply', reply: sent.response, phase: 'dot' }
      : { kind: 'reply', reply: refusal, phase: 'rcpt' };
  });
}

/** What a transaction that failed means for each recipient. */
export function verdictsOfFailure(error: SmtpError, addresses: readonly string[], ending: Ending): Verdict[] {
  if (error.rejectedErrors) {
    const replies = new Map(error.rejectedErrors.map((one) => [one.recipient, one.response ?? '']));
    return addresses.map((address) => ({
      kind: 'reply',
      reply: replies.get(address) ?? error.response ?? '',
      phase: 'rcpt',
    }));
  }
  const verdict = verdictOf(error, ending);
  const spared = isAfterRecipients(error) || ending.pastDot;
  const refused = new Map(ending.rejected.map((one) => [one.recipient, one.response ?? '']));
  // Who was refused by name has nothing to do with what became of the message afterwards.
  return addresses.map((address) => {
    const reply = spared ? refused.get(address) : undefined;
    return reply ? { kind: 'reply', reply, phase: 'rcpt' } : verdict;
  });
}

function verdictOf(error: SmtpError, { host, pastDot, aborted }: Ending): Verdict {
  const phase = PHASES[error.command ?? ''];
  if (error.code === 'EMESSAGE' && error.response)
    return { kind: 'reply', reply: error.response, phase: 'dot' };
  if (error.code === 'EENVELOPE' && error.response && phase)
    return { kind: 'reply', reply: error.response, phase };
  if (error.code === 'EMESSAGE') return { kind: 'reply', reply: `552 5.3.4 ${error.message}`, phase: 'mail' };
  if (error.code === 'EENVELOPE')
    return { kind: 'reply', reply: `553 5.1.3 ${error.message}`, phase: 'rcpt' };
  if (!pastDot && error.response?.startsWith('421'))
    return { kind: 'reply', reply: error.response, phase: 'mail' };
  const why = `4.4.2 ${host}: ${error.message}`;
  if (pastDot) return { kind: 'unknown', why };
  return aborted ? { kind: 'aborted' } : { kind: 'failed', why };
}
