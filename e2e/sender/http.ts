// Submission by HTTP: the raw message with its envelope, under an Idempotency-Key.
import { Agent, fetch } from 'undici';
import { allOf, type Submission, type SubmissionResult } from './record.ts';

export interface HttpTarget {
  readonly url: string;
  readonly token: string;
}

const dispatcher = new Agent({ connect: { rejectUnauthorized: false }, connections: 16 });

/** Sends one message; never rejects: the verdict says what is known. */
export async function sendByHttp(
  target: HttpTarget,
  submission: Submission,
  attempt: number,
): Promise<SubmissionResult> {
  try {
    const response = await fetch(`${target.url}/v1/messages`, {
      method: 'POST',
      dispatcher,
      headers: {
        authorization: `Bearer ${target.token}`,
        'content-type': 'application/json',
        'idempotency-key': submission.testId,
      },
      body: JSON.stringify({
        envelope: { from: submission.from, to: submission.recipients },
        raw: submission.message.toString('base64'),
      }),
      signal: AbortSignal.timeout(120_000),
    });
    const text = await response.text();
    if (response.status === 504) return allOf(submission, 'unknown', text, attempt);
    if (response.status !== 202) return allOf(submission, 'refused', `${response.status} ${text}`, attempt);
    const refused = new Set(
      (JSON.parse(text).refused ?? []).map((entry: { address: string }) => entry.address),
    );
    const recipients = submission.recipients.map((address) => {
      return { address, verdict: refused.has(address) ? ('refused' as const) : ('accepted' as const) };
    });
    return { testId: submission.testId, recipients, reply: text, attempts: attempt };
  } catch (error) {
    return allOf(submission, 'unknown', String(error), attempt);
  }
}
