// Why a message or recipient is not taken, once for both doors: SMTP reply code, enhanced status (RFC 3463), HTTP status.
// A refusal is a promise that nothing is stored.
import { MessageFault } from '../message/fields.ts';

const REASONS = {
  credentials: [535, '5.7.8', 401],
  tooManyFailures: [421, '4.7.0', 429],
  authUnavailable: [454, '4.7.0', 503],
  senderDomain: [550, '5.7.1', 403],
  badSender: [553, '5.1.7', 422],
  badRecipient: [553, '5.1.3', 422],
  needsSmtpUtf8: [553, '5.6.7', 422],
  suppressed: [550, '5.7.1', 422],
  tooManyRecipients: [452, '4.5.3', 422],
  noRecipients: [554, '5.5.1', 422],
  unknownParameter: [555, '5.5.4', 400],
  unknownClass: [554, '5.5.4', 422],
  badRequest: [554, '5.5.4', 400],
  keyReused: [554, '5.5.4', 422],
  notFound: [554, '5.5.4', 404],
  badMessage: [554, '5.6.0', 422],
  tooLarge: [552, '5.3.4', 413],
  unavailable: [451, '4.3.0', 503],
  closing: [451, '4.3.2', 503],
  full: [452, '4.3.1', 503],
} as const satisfies Record<string, readonly [smtp: number, status: string, http: number]>;
export type Reason = keyof typeof REASONS;

/** The message is refused; certainly nothing is stored. */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly reason: Reason;
  /** The SMTP reply code; smtp-server reads it under this name. */
  readonly responseCode: number;
  readonly status: string;
  readonly http: number;
  /** More about each fault, for HTTP. */
  readonly details: readonly object[];

  constructor(
    reason: Reason,
    message: string,
    more: { status?: string; cause?: unknown; details?: readonly object[] } = {},
  ) {
    const [smtp, status, http] = REASONS[reason];
    super(message, { cause: more.cause });
    this.reason = reason;
    this.responseCode = smtp;
    this.status = more.status ?? status;
    this.http = http;
    this.details = more.details ?? [];
  }

  /** The reply text with its enhanced status in front, as smtp_connection.ts expects it. */
  get reply(): string {
    return `${this.status} ${this.message}`;
  }
}

/** It cannot be known whether the message is stored: the client must be left without an answer. */
export class OutcomeUnknown extends Error {
  override readonly name = 'OutcomeUnknown';
}

/** A fault of the message as a refusal; every other error as it is. */
export function asRefusal(error: unknown): unknown {
  return error instanceof MessageFault
    ? new Refused('badMessage', error.message, { status: error.status })
    : error;
}
