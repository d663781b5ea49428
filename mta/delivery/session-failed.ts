// Why a host was not greeted, as far as the library's error and the state of the connection tell.
import type SMTPConnection from 'nodemailer/lib/smtp-connection';
import type { Phase } from '../policy/reply.ts';
import type { SmtpError } from './endings.ts';
import { isShakingHands, offeredTls } from './extensions.ts';
import type { SessionOptions } from './session.ts';

/** The session could not be set up. `phase` says how far it came. */
export class SessionFailed extends Error {
  override readonly name = 'SessionFailed';
  readonly phase: Phase;
  /** The reply that ended it, if there was one that says more than the message. */
  readonly reply: string | null;
  /** Enhanced status (RFC 3463) for where there is no reply. */
  readonly status: string;

  constructor(message: string, phase: Phase, { reply = null, status = '4.4.2', cause }: Failure) {
    super(message, { cause });
    this.phase = phase;
    this.reply = reply;
    this.status = status;
  }
}
interface Failure extends ErrorOptions {
  readonly reply?: string | null;
  readonly status?: string;
}

/** What the error of a session that could not be set up means. */
export function setupFailure(
  error: SmtpError,
  smtp: SMTPConnection,
  tls: SessionOptions['tls'],
): SessionFailed {
  const { message, response = null, command } = error;
  // Whatever the library calls it: nothing but the handshake was under way.
  if (isShakingHands(smtp))
    return new SessionFailed(`TLS handshake failed: ${message}`, 'tls', { status: '4.7.5', cause: error });
  if (tls === 'Required' && (command === 'STARTTLS' || command === 'EHLO') && response?.startsWith('5'))
    return new SessionFailed(withoutTls(smtp, response), 'starttls', { status: '4.7.10', cause: error });
  const phase: Phase =
    error.code === 'ETLS' ? 'starttls' : command === 'EHLO' || command === 'HELO' ? 'ehlo' : 'greeting';
  return new SessionFailed(message, phase, { reply: response, cause: error });
}

const withoutTls = (smtp: SMTPConnection, response: string): string =>
  offeredTls(smtp)
    ? `the policy requires TLS, and the host refuses it: ${response}`
    : 'the policy requires TLS, and the host does not offer it';
