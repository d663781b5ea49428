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

/** Sends everything; resolves with one result a submission, in their order. */
export async function sendAll(
  submissions: readonly Submission[],
  options: SenderOptions,
): Promise<SubmissionResult[]> {
  const results: SubmissionResult[] = new Array(submissions.length);
  const started = performance.now();
  let given = 0;
  const worker = async () => {
    let session: SmtpSession | null = null;
    for (let i = given++; i < submissions.length; i = given++) {
      const submission = submissions[i] as Submission;
      if (options.perSecond)
        await delay(Math.max(0, started + (i * 1000) / options.perSecond - performance.now()));
      const byHttp = options.http !== undefined && options.httpEvery > 0 && i % options.httpEvery === 0;
      for (let attempt = 1; ; attempt++) {
        let result: SubmissionResult;
        if (byHttp) result = await sendByHttp(options.http as HttpTarget, submission, attempt);
        else {
          if (session?.closed) session = null;
          const opened: SmtpSession | string =
            session ?? (await SmtpSession.open(options.smtp).catch(String));
          // Nothing was said yet, so it is certain that nothing was taken.
          if (typeof opened === 'string')
            result = allOf(submission, 'refused', `421 no session: ${opened}`, attempt);
          else {
            session = opened;
            result = await session.send(submission, attempt);
            if (result.recipients.some(({ verdict }) => verdict === 'unknown')) session = null;
          }
        }
        if (attempt < options.maxAttempts && temporary(result)) {
          await delay(Math.min(5000, 200 * 2 ** attempt));
          continue;
        }
        results[i] = result;
        options.onResult?.(result);
        break;
      }
    }
    session?.close();
  };
  await Promise.all(Array.from({ length: options.sessions }, worker));
  return results;
}
