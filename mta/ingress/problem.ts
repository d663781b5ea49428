// Errors of the HTTP API as RFC 9457 problems.
import { OutcomeUnknown, Refused } from './refusal.ts';

export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  /** The enhanced status code SMTP would have given. */
  readonly enhancedStatus?: string;
  readonly errors?: readonly object[];
}

const TITLES: Record<number, string> = {
  400: 'The request is malformed',
  401: 'Not authenticated',
  403: 'Not allowed',
  404: 'There is nothing here',
  405: 'The method is not allowed',
  413: 'The message is too large',
  415: 'The content type is not supported',
  422: 'The message cannot be accepted',
  429: 'Too many failures',
  500: 'Internal error',
  503: 'Not available now',
  504: 'The outcome is not known',
};
/** Seconds, for 429 and 503. */
export const RETRY_AFTER: Record<number, number> = { 429: 600, 503: 10 };

const problem = (status: number, name: string, detail: string, more: Partial<Problem> = {}): Problem => ({
  type: `https://postfleet.io/problems/${name}`,
  title: TITLES[status] ?? 'Error',
  status,
  detail,
  ...more,
});

/** What the client is told; null when the error is a defect of ours, which is told as a bare 500. */
export function problemOf(error: unknown): Problem | null {
  if (error instanceof Refused) {
    const name = error.reason.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    const errors = error.details.length ? { errors: error.details } : {};
    return problem(error.http, name, error.message, { enhancedStatus: error.status, ...errors });
  }
  if (error instanceof OutcomeUnknown)
    return problem(
      504,
      'outcome-unknown',
      'the message may or may not be stored: repeat the request with the same Idempotency-Key (or Message-ID and content)',
    );
  return fastifyProblem(error as { statusCode?: number; message?: string; code?: string });
}

/** Fastify's own refusals: bad JSON, body too large, unknown content type. */
function fastifyProblem({ statusCode, message }: { statusCode?: number; message?: string }): Problem | null {
  if (statusCode === 413)
    return problem(413, 'too-large', 'the request is larger than a message may be', {
      enhancedStatus: '5.3.4',
    });
  if (statusCode === 415) return problem(415, 'content-type', 'send application/json or message/rfc822');
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return problem(statusCode, 'bad-request', message ?? '');
  return null;
}

export const internalProblem = (): Problem =>
  problem(500, 'internal', 'the request failed; it is not stored');
export const notFoundProblem = (): Problem =>
  problem(404, 'not-found', 'the only resource is POST /v1/messages');
export const methodProblem = (): Problem => problem(405, 'method', 'messages are sent with POST');
