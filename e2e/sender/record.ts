// What a sender was told about one message.

export interface Submission {
  /** The number in the message's X-Test-Id header. */
  readonly testId: string;
  readonly from: string;
  readonly recipients: readonly string[];
  readonly message: Buffer;
}

/** `unknown`: the connection ended without a reply after the final dot; it may or may not have been taken. */
export type Verdict = 'accepted' | 'refused' | 'unknown';

export interface SubmissionResult {
  readonly testId: string;
  readonly recipients: readonly { readonly address: string; readonly verdict: Verdict }[];
  /** The last reply, for people. */
  readonly reply: string;
  readonly attempts: number;
}

/** Every recipient gets the same verdict. */
export function allOf(
  submission: Submission,
  verdict: Verdict,
  reply: string,
  attempts: number,
): SubmissionResult {
  const recipients = submission.recipients.map((address) => ({ address, verdict }));
  return { testId: submission.testId, recipients, reply, attempts };
}
