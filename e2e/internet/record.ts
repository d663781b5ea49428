// What the internet writes down. One record per recipient and attempt; a message that was taken has one of its own besides.

export interface Session {
  /** Host name and address of the mail exchanger. */
  readonly mx: string;
  readonly mxAddress: string;
  readonly source: string;
  readonly ehlo: string;
  /** Protocol version, null in clear. */
  readonly tls: string | null;
}

export type Outcome = 'delivered' | 'deferred' | 'refused';

/** One recipient at one attempt, from the reply it got. */
export interface AttemptRecord extends Session {
  readonly kind: 'attempt';
  readonly seq: number;
  /** ms since the epoch */
  readonly at: number;
  readonly stage: 'mail' | 'rcpt' | 'dot';
  readonly from: string;
  readonly recipient: string;
  readonly outcome: Outcome;
  /** null: the connection was dropped instead. */
  readonly reply: string | null;
  /** Known from the dot on. */
  readonly testId: string | null;
}

/** A message that was taken, for its accepted recipients. */
export interface MessageRecord extends Session {
  readonly kind: 'message';
  readonly seq: number;
  readonly at: number;
  readonly from: string;
  readonly recipients: readonly string[];
  readonly testId: string | null;
  readonly sha256: string;
  readonly sizeBytes: number;
  /** Where its bytes are (`GET /messages/<file>`); null when too large to keep: then `headers` is all there is. */
  readonly file: string | null;
  readonly headers: string;
  /** Whether the sender was told 250; false when the connection was dropped instead. */
  readonly answered: boolean;
  /** Set when it is a delivery status notification. */
  readonly dsn: Dsn | null;
}

export interface Dsn {
  /** X-Test-Id of the message it speaks of. */
  readonly testId: string | null;
  readonly recipients: readonly {
    readonly address: string;
    readonly action: string;
    readonly status: string;
  }[];
}

/** What became of the reply to a message that was taken. */
export interface AnswerRecord {
  readonly kind: 'answer';
  readonly seq: number;
  readonly at: number;
  /** `seq` of the attempts that it answered. */
  readonly of: readonly number[];
  /** When it was written, ms since the epoch; null: the connection was dropped instead. */
  readonly sentAt: number | null;
  /** Whether the client said anything more: then it has read it. A client that just goes may not have. */
  readonly read: boolean;
}

export type InternetRecord = AttemptRecord | MessageRecord | AnswerRecord;
