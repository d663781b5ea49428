// Sends many submissions over a few sessions. Like a good client it repeats what is unknown (the same message, the same key)
// and tries again what was refused for the moment.
import { setTimeout as delay } from 'node:timers/promises';
import { type HttpTarget, sendByHttp } from './http.ts';
import { allOf, type Submission, type SubmissionResult } from './record.ts';
import { SmtpSession, type SmtpTarget } from './smtp.ts';

export interface SenderOptions {
  readonly smtp: SmtpTarget;
  readonly http?: HttpTarget;
  /** Of every `n` messages one goes by HTTP; 0: none. */
  readonly httpEvery: number;
  readonly sessions: number;
  readonly maxAttempts: number;
  readonly onResult?: (result: SubmissionResult) => void;
  /** Messages per second over all sessions; absent: as fast as it goes. */
  readonly perSecond?: number;
}

const temporary = (result: SubmissionResult) =>
  result.recipients.every(({ verdict }) => verdict === 'unknown') ||
  (result.recipients.every(({ verdict }) => verdict === 'refused') &&
    /\b(4\d\d|429|503)\b/.test(result.reply.slice(0, 80)));

/** One session's worth of sending: reconnects when it must. */
class Courier {
  readonly #options: SenderOptions;
  #session: SmtpSession | null = null;

  constructor(options: SenderOptions) {
    this.#options = options;
  }

  /** Repeats what is unknown or refused for the moment, up to `maxAttempts`. */
  async deliver(submission: Submission, byHttp: boolean): Promise<SubmissionResult> {
    for (let attempt = 1; ; attempt++) {
      const { http } = this.#options;
      const result =
        byHttp && http
          ? await sendByHttp(http, submission, attempt)
          : await this.#bySmtp(submission, attempt);
      if (attempt >= this.#options.maxAttempts || !temporary(result)) return result;
      await delay(Math.min(5000, 200 * 2 ** attempt));
    }
  }

  async #bySmtp(submission: Submission, attempt: number): Promise<SubmissionResult> {
    if (!this.#session || this.#session.closed) {
      const opened = await SmtpSession.open(this.#options.smtp).catch(String);
      // Nothing was said yet, so it is certain that nothing was taken.
      if (typeof opened === 'string')
        return allOf(submission, 'refused', `421 no session: ${opened}`, attempt);
      this.#session = opened;
    }
    const result = await this.#session.send(submission, attempt);
    if (result.recipients.some(({ verdict }) => verdict === 'unknown')) this.#session = null;
    return result;
  }

  close(): void {
    this.#session?.close();
  }
}

/** Sends everything; resolves with one result a submission, in their order. */
export async function sendAll(
  submissions: readonly Submission[],
  options: SenderOptions,
): Promise<SubmissionResult[]> {
  const results: SubmissionResult[] = new Array(submissions.length);
  const started = performance.now();
  const { perSecond, http, httpEvery } = options;
  let given = 0;
  const work = async () => {
    const courier = new Courier(options);
    for (let i = given++; i < submissions.length; i = given++) {
      if (perSecond) await delay(Math.max(0, started + (i * 1000) / perSecond - performance.now()));
      const byHttp = http !== undefined && httpEvery > 0 && i % httpEvery === 0;
      const result = await courier.deliver(submissions[i] as Submission, byHttp);
      results[i] = result;
      options.onResult?.(result);
    }
    courier.close();
  };
  await Promise.all(Array.from({ length: options.sessions }, work));
  return results;
}
