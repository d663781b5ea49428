// Submission by SMTP: STARTTLS, AUTH PLAIN, one session reused for many messages.
import SMTPConnection from 'nodemailer/lib/smtp-connection/index.js';
import { allOf, type Submission, type SubmissionResult } from './record.ts';

export interface SmtpTarget {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

interface SendInfo {
  readonly rejected: readonly string[];
  readonly response: string;
}

export class SmtpSession {
  readonly #connection: SMTPConnection;
  #closed = false;

  private constructor(connection: SMTPConnection) {
    this.#connection = connection;
    connection.on('error', () => {}); // each command's callback has the error
    connection.once('end', () => {
      this.#closed = true;
    });
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Connects and authenticates; rejects when either is refused. */
  static async open(target: SmtpTarget): Promise<SmtpSession> {
    const { host, port } = target;
    const tls = { rejectUnauthorized: false };
    const connection = new SMTPConnection({
      host,
      port,
      requireTLS: true,
      tls,
      connectionTimeout: 10_000,
      socketTimeout: 120_000,
    });
    const session = new SmtpSession(connection);
    await new Promise<void>((resolve, reject) => {
      connection.once('error', reject);
      connection.connect((error) => (error ? reject(error) : resolve()));
    });
    await new Promise<void>((resolve, reject) => {
      const credentials = { user: target.user, pass: target.password };
      connection.login({ credentials } as never, (error) => (error ? reject(error) : resolve()));
    }).catch((error) => {
      connection.close();
      throw error;
    });
    return session;
  }

  /** Sends one message; never rejects: the verdict says what is known. */
  send(submission: Submission, attempt: number): Promise<SubmissionResult> {
    const utf8 = submission.recipients.some((address) => /[^\x20-\x7e]/.test(address));
    const envelope = {
      from: submission.from,
      to: [...submission.recipients],
      use8BitMime: true,
      smtpUtf8: utf8,
    };
    return new Promise((resolve) => {
      const lost = () => done(allOf(submission, 'unknown', 'connection lost', attempt));
      const done = (result: SubmissionResult) => {
        this.#connection.off('error', lost);
        resolve(result);
      };
      this.#connection.once('error', lost);
      this.#connection.send(envelope as never, submission.message, (error, info) => {
        if (error) {
          const code = (error as { responseCode?: number }).responseCode;
          return done(allOf(submission, code ? 'refused' : 'unknown', error.message, attempt));
        }
        const { rejected, response } = info as unknown as SendInfo;
        const recipients = submission.recipients.map((address) => {
          return {
            address,
            verdict: rejected.includes(address) ? ('refused' as const) : ('accepted' as const),
          };
        });
        done({ testId: submission.testId, recipients, reply: response, attempts: attempt });
      });
    });
  }

  close(): void {
    this.#connection.quit();
  }
}
