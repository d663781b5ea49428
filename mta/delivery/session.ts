// One SMTP session with a remote host, over the socket that egress gave us. nodemailer's client speaks the protocol
// (RFC 5321, PIPELINING, STARTTLS, SMTPUTF8); endings.ts says what each ending means for each recipient.
import type { Writable } from 'node:stream';
import SMTPConnection from 'nodemailer/lib/smtp-connection';
import { GRANT_SECONDS } from '../bus/connect.ts';
import { isAscii } from '../message/addresses.ts';
import type { Parcel } from '../message/parcel.ts';
import {
  GRANT_OVER,
  NO_UTF8,
  NO_VERDICT,
  type Sent,
  type SmtpError,
  verdictsOfFailure,
  verdictsOfReply,
} from './endings.ts';
import { announceUtf8, needsUtf8, offersUtf8 } from './extensions.ts';
import type { GrantReports } from './outcomes.ts';
import type { Policy, Verdict } from './ports.ts';
import { setupFailure } from './session-failed.ts';
import { textOf } from './text.ts';
import type { Grant } from './tunnel.ts';

/** RFC 5321 §4.5.3.2: greeting, MAIL and RCPT 5 minutes, the final dot 10. */
const SETUP_MS = 300_000;
const ENVELOPE_MS = 300_000;
const FINAL_DOT_MS = 600_000;
const RESET_MS = 30_000;

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
      return verdictsOfReply(sent, addresses);
    } catch (error) {
      const verdicts = verdictsOfFailure(error as SmtpError, addresses, {
        ...{ host: this.host, pastDot: this.#pastDot, aborted: this.#aborted },
        rejected: this.#envelope?.rejectedErrors ?? [],
      });
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
    const message = textOf(parcel.message, {
      socket: () => (this.#smtp as unknown as { readonly _socket: Writable })._socket,
      isOver: () => this.#ended,
      started,
      dotLeaves: () => {
        this.#pastDot = true;
      },
    });
    return new Promise((resolve, reject) => {
      this.#onEnd = () => setImmediate(reject, new Error('the connection was closed'));
      this.#smtp.send(envelope, message as never, (error, info) =>
        error ? reject(error) : resolve(info as Sent),
      );
    });
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
