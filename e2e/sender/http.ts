// Submission by HTTP: the message as it is, its envelope in header fields, under an Idempotency-Key (docs/http-api.md).
import { Agent, fetch } from 'undici';
import { allOf, type Submission, type SubmissionResult } from './record.ts';

export interface HttpTarget {
  readonly url: string;
  readonly token: string;
}

const dispatcher = new Agent({ connect: { rejectUnauthorized: false }, connections: 16 });

/** Header fields carry bytes; UTF-8 addresses are given as their bytes, one character each. */
const bytes = (text: string) => Buffer.from(text).toString('latin1');

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
        'content-type': 'message/rfc822',
        'idempotency-key': submission.testId,
        'postfleet-from': bytes(submission.from),
        'postfleet-to': bytes(submission.recipients.join(', ')),
      },
      body: submission.message,
      signal: AbortSignal.timeout(120_000),
    });
    const text = await response.text();
    if (response.status === 504) return allOf(submission, 'unknown', text, attempt);
    if (response.status !== 202) return allOf(submission, 'refused', `${response.status} ${text}`, attempt);
    const refused = new Set(
      (JSON.parse(text) as { refused: { address: string }[] }).refused.map((one) => one.address),
    );
    const recipients = submission.recipients.map((address) => {
      return { address, verdict: refused.has(address) ? ('refused' as const) : ('accepted' as const) };
    });
    return { testId: submission.testId, recipients, reply: text, attempts: attempt };
  } catch (error) {
    return allOf(submission, 'unknown', String(error), attempt);
  }
}
