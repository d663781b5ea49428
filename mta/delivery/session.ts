// One SMTP session with a remote host, over the socket that egress gave us. nodemailer's client speaks the protocol
// (RFC 5321, PIPELINING, STARTTLS, SMTPUTF8); this says what each ending means for each recipient.
import type { Writable } from 'node:stream';
import SMTPConnection from 'nodemailer/lib/smtp-connection';
import { failpoint } from '../../process/failpoint.ts';
import { GRANT_SECONDS } from '../bus/connect.ts';
import { isAscii } from '../message/addresses.ts';
import type { Parcel } from '../message/parcel.ts';
import type { Phase } from '../policy/reply.ts';
import { doubleDots } from './dots.ts';
import { announceUtf8, isShakingHands, needsUtf8, offeredTls, offersUtf8 } from './extensions.ts';
import type { GrantReports } from './outcomes.ts';
import type { Policy, Verdict } from './ports.ts';
import type { Grant } from './tunnel.ts';
import { wait } from './verdicts.ts';

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

/** RFC 5321 §4.5.3.2: greeting, MAIL and RCPT 5 minutes, the final dot 10. */
const SETUP_MS = 300_000;
const ENVELOPE_MS = 300_000;
const FINAL_DOT_MS = 600_000;
const RESET_MS = 30_000;
/** A message up to this size is handed to the socket at once; a larger one in pieces as the socket takes them. */
const PIECE = 256 * 1024;
const CRLF = Buffer.from('\r\n');

type SmtpError = Error & {
  readonly code?: string;
  readonly response?: string;
  readonly command?: string;
  readonly recipient?: string;
  readonly rejectedErrors?: readonly SmtpError[];
};
interface Sent {
  readonly rejected: readonly string[];
  readonly rejectedErrors?: readonly SmtpError[];
  readonly response: string;
}

export interface SessionOptions {
  readonly host: string;
  readonly source: string;
  readonly tls: Policy['tls'] | 'Broken';
  readonly monotonic: () => number;
  /** Told what becomes of recipients. */
  readonly reports: GrantReports;
}

export class Session {
  readonly host: string;
  readonly source: string;
  readonly provider: string;
  readonly #reports: GrantReports;
  readonly #smtp: SMTPConnection;
  readonly #monotonic: () => number;
  /** No transaction begins from then on, in monotonic ms. */
  readonly #until: number;
  #recipientsLeft: number;
  #pastDot = false;
  #ended = false;
  #aborted = false;
  #used = false;
  /** The transaction under way needs SMTPUTF8. */
  #utf8 = false;
  /** Fails the step under way when the connection ends: nodemailer does not call back for a close of ours. */
  #onEnd: (() => void) | null = null;
  #resetting: Promise<void> | null = null;
  /** Of the transaction under way; nodemailer notes in it who was refused. */
  #envelope: { readonly from: string; readonly rejectedErrors?: readonly SmtpError[] } | null = null;
  /** Monotonic ms since when it is idle. */
  idleSince = 0;

  private constructor(smtp: SMTPConnection, grant: Grant, until: number, options: SessionOptions) {
    this.host = options.host;
    this.source = options.source;
    this.provider = grant.provider;
    this.#reports = options.reports;
    this.#smtp = smtp;
    this.#monotonic = options.monotonic;
    this.#until = until;
    this.#recipientsLeft = grant.messages;
    announceUtf8(smtp, () => this.#utf8);
    smtp.on('error', () => {});
    smtp.once('end', () => {
      this.#ended = true;
      this.#onEnd?.();
    });
  }

  /** Greets the host over the granted socket, which it has just been given. @throws SessionFailed */
  static open(grant: Grant, options: SessionOptions): Promise<Session> {
    // Egress counts from the connection on, and so does the day that bounds the grant: not from a greeting that may take minutes.
    const until = options.monotonic() + grant.seconds * 1000;
    // A grant that was cut short by its day says nothing against a host that is slower.
    const isSlow = () => grant.seconds >= GRANT_SECONDS && options.monotonic() >= until;
    const smtp = new SMTPConnection({
      connection: grant.socket,
      host: options.host,
      name: grant.ehlo,
      secure: false,
      ignoreTLS: options.tls === 'None' || options.tls === 'Broken',
      requireTLS: options.tls === 'Required',
      opportunisticTLS: options.tls === 'Opportunistic',
      // Without DANE or MTA-STS a name in an MX record proves nothing, so a certificate for it does not either.
      tls: { rejectUnauthorized: false },
      connectionTimeout: SETUP_MS,
      greetingTimeout: SETUP_MS,
      socketTimeout: FINAL_DOT_MS,
    } as ConstructorParameters<typeof SMTPConnection>[0]);
    return new Promise((resolve, reject) => {
      const fail = (error: unknown) => {
        reject(setupFailure(error as SmtpError, smtp, options.tls));
        smtp.close();
        // At once, or egress would count the slot as taken when the next connection is asked for.
        grant.socket.destroy();
      };
      // A reset while TLS is being set up would otherwise be nobody's.
      grant.socket.on('error', () => {});
      grant.socket.once('close', options.reports.closed);
      smtp.once('error', fail);
      smtp.connect(((error?: Error) => {
        smtp.removeListener('error', fail);
        if (error) fail(error);
        else if (isSlow()) fail(new Error(`it has not greeted within ${grant.seconds} s`));
        else resolve(new Session(smtp, grant, until, options));
      }) as () => void);
    });
  }

  /** Whether it may carry a transaction with that many recipients now. */
  fits(recipients: number): boolean {
    return !this.#ended && this.#recipientsLeft >= recipients && this.#monotonic() < this.#until;
  }

  /** How many recipients the grant still allows; transactions are cut to it. */
  get recipientsLeft(): number {
    return this.#recipientsLeft;
  }

  /** Whether it has carried a transaction: the host may have closed it since, which says nothing about the next. */
  get used(): boolean {
    return this.#used;
  }

  /** Whether TLS holds between us and the remote host. */
  get encrypted(): boolean {
    return this.#smtp.secure === true;
  }

  /** One transaction. Never rejects; one verdict per address. */
  async send(parcel: Omit<Parcel, 'recipients'>, addresses: readonly string[]): Promise<Verdict[]> {
    const wholly = needsUtf8(parcel);
    const refused = (address: string) => !offersUtf8(this.#smtp) && (wholly || !isAscii(address));
    const open = addresses.filter((address) => !refused(address));
    this.#utf8 = wholly && offersUtf8(this.#smtp);
    const verdicts = open.length ? await this.#reported(parcel, open) : [];
    return addresses.map((address) => (refused(address) ? NO_UTF8 : (verdicts.shift() ?? NO_VERDICT)));
  }

  async #reported(parcel: Omit<Parcel, 'recipients'>, addresses: readonly string[]): Promise<Verdict[]> {
    this.#reports.begin();
    const verdicts = await this.#send(parcel, addresses);
    this.#reports.finish(verdicts);
    return verdicts;
  }

  async #send(parcel: Omit<Parcel, 'recipients'>, addresses: readonly string[]): Promise<Verdict[]> {
    await this.#resetting;
    this.#resetting = null;
    // The greeting, or the reset after the transaction before, may have taken what was left.
    if (this.#monotonic() >= this.#until) return addresses.map(() => GRANT_OVER);
    this.#recipientsLeft -= addresses.length;
    const timer = setTimeout(() => this.close(), ENVELOPE_MS);
    const started = () => clearTimeout(timer);
    try {
      const sent = await this.#transact(parcel, addresses, started);
      const replies = new Map(sent.rejectedErrors?.map((error) => [error.recipient, error.response ?? '']));
      return addresses.map((address) => {
        const refusal = replies.get(address);
        return refusal === undefined
          ? { kind: 'reply', reply: sent.response, phase: 'dot' }
          : { kind: 'reply', reply: refusal, phase: 'rcpt' };
      });
    } catch (error) {
      const verdicts = this.#failure(error as SmtpError, addresses);
      // The result does not wait for it, the next transaction does.
      if (!this.#ended) this.#resetting = this.#reset();
      return verdicts;
    } finally {
      clearTimeout(timer);
      this.#pastDot = false;
      this.#used = true;
    }
  }

  /** Ends the session if it is not past a final dot; returns whether it was ended. */
  abort(): boolean {
    if (this.#pastDot) return false;
    this.#aborted = true;
    this.close();
    return true;
  }

  /** Says goodbye. */
  quit(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#smtp.quit();
    // A host that does not answer QUIT must not keep the connection, and its slot at egress.
    setTimeout(() => this.#smtp.close(), 2000).unref();
  }

  close(): void {
    this.#ended = true;
    this.#smtp.close();
  }

  #transact(
    parcel: Omit<Parcel, 'recipients'>,
    addresses: readonly string[],
    started: () => void,
  ): Promise<Sent> {
    const envelope = {
      from: parcel.from,
      to: [...addresses],
      size: parcel.message.length,
      use8BitMime: parcel.smtpUtf8,
    };
    this.#envelope = envelope;
    const message = this.#message(parcel.message, started);
    return new Promise((resolve, reject) => {
      this.#onEnd = () => setImmediate(reject, new Error('the connection was closed'));
      this.#smtp.send(envelope, message as never, (error, info) =>
        error ? reject(error) : resolve(info as Sent),
      );
    });
  }

  /**
   * Hands the message over when the server has asked for it, and notes when the final dot is on its way. It goes past nodemailer's
   * stream, which looks at every octet, and leaves to it what ends the text: CRLF and the dot, so our last CRLF is kept back.
   */
  #message(message: Buffer, started: () => void): { pipe(to: NodeJS.WritableStream): void } {
    const length = message.subarray(-2).equals(CRLF) ? message.length - 2 : message.length;
    return {
      pipe: (to) => {
        started();
        const { _socket: socket } = this.#smtp as unknown as { readonly _socket: Writable };
        const write = (from: number): void => {
          if (this.#ended) return;
          const end = Math.min(from + PIECE, length);
          const piece = doubleDots(message.subarray(from, end), from === 0 || message[from - 1] === 0x0a);
          if (end === length) {
            this.#pastDot = true;
            // The text and the dot leave in one write.
            socket.cork();
            socket.write(piece);
            to.end();
            setImmediate(() => {
              socket.uncork();
              failpoint('delivery.final-dot');
            });
          } else if (socket.write(piece)) setImmediate(write, end);
          else socket.once('drain', () => write(end));
        };
        write(0);
      },
    };
  }

  #failure(error: SmtpError, addresses: readonly string[]): Verdict[] {
    if (error.rejectedErrors) {
      const replies = new Map(error.rejectedErrors.map((one) => [one.recipient, one.response ?? '']));
      return addresses.map((address) => ({
        kind: 'reply',
        reply: replies.get(address) ?? error.response ?? '',
        phase: 'rcpt',
      }));
    }
    const verdict = this.#verdictOf(error);
    const spared = isAfterRecipients(error) || this.#pastDot;
    const refused = new Map(
      this.#envelope?.rejectedErrors?.map((one) => [one.recipient, one.response ?? '']),
    );
    // Who was refused by name has nothing to do with what became of the message afterwards.
    return addresses.map((address) => {
      const reply = spared ? refused.get(address) : undefined;
      return reply ? { kind: 'reply', reply, phase: 'rcpt' } : verdict;
    });
  }

  #verdictOf(error: SmtpError): Verdict {
    const phase = PHASES[error.command ?? ''];
    if (error.code === 'EMESSAGE' && error.response)
      return { kind: 'reply', reply: error.response, phase: 'dot' };
    if (error.code === 'EENVELOPE' && error.response && phase)
      return { kind: 'reply', reply: error.response, phase };
    if (error.code === 'EMESSAGE')
      return { kind: 'reply', reply: `552 5.3.4 ${error.message}`, phase: 'mail' };
    if (error.code === 'EENVELOPE')
      return { kind: 'reply', reply: `553 5.1.3 ${error.message}`, phase: 'rcpt' };
    if (!this.#pastDot && error.response?.startsWith('421'))
      return { kind: 'reply', reply: error.response, phase: 'mail' };
    const why = `4.4.2 ${this.host}: ${error.message}`;
    if (this.#pastDot) return { kind: 'unknown', why };
    return this.#aborted ? { kind: 'aborted' } : { kind: 'failed', why };
  }

  #reset(): Promise<void> {
    const timer = setTimeout(() => this.close(), RESET_MS);
    return new Promise<void>((resolve) => {
      this.#onEnd = resolve;
      this.#smtp.reset((error) => {
        if (error) this.close();
        resolve();
      });
    }).finally(() => clearTimeout(timer));
  }
}

/** RFC 6531 §3.5: final, for no later attempt will find the host otherwise. */
export const NO_UTF8: Verdict = {
  kind: 'reply',
  reply: '553 5.6.7 the host does not take addresses or headers beyond ASCII (no SMTPUTF8)',
  phase: 'rcpt',
};
const GRANT_OVER = wait(1, 'the grant of the connection is over');
const NO_VERDICT: Verdict = { kind: 'failed', why: '4.3.0 no result' };

/** The reply to DATA or to the final dot: those to the recipients stand. */
const isAfterRecipients = ({ code, command }: SmtpError): boolean =>
  code === 'EMESSAGE' || command === 'DATA';

const PHASES: Readonly<Record<string, Phase>> = { 'MAIL FROM': 'mail', 'RCPT TO': 'rcpt', DATA: 'data' };

function setupFailure(error: SmtpError, smtp: SMTPConnection, tls: SessionOptions['tls']): SessionFailed {
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
