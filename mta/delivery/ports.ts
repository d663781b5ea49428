// What delivery needs of the outside, as narrow as it can be: the state machine and the scheduler have no sockets.
import type { QueuePolicySpec } from '../../resources/kinds.ts';
import type { HopId, Parcel } from '../message/parcel.ts';
import type { Phase } from '../policy/reply.ts';

/** The time (ms since the epoch; see process/steady.ts) and a monotonic clock (ms), passed in so that tests can move them. */
export interface Clock {
  now(): number;
  monotonic(): number;
}

/** A delivery of one stored message by JetStream. Answers that fail on their way cost a redelivery, so they never throw. */
export interface MailMessage {
  readonly data: Uint8Array;
  /** Its place in the stream: deliveries with one sequence are of one stored message. */
  readonly sequence: number;
  /** How often it has been delivered, this time included; 1: nobody had it before. */
  readonly deliveries: number;
  /** Its stream is gone, and the message with it: it cannot be given back. */
  readonly isGone: boolean;
  /** Acknowledges; true when the server has confirmed, or there is nothing left to acknowledge; rejects when that is unknown. May be asked again. */
  ackAck(opts: { readonly timeout: number }): Promise<boolean>;
  /** Keeps it from being redelivered for another ack_wait. */
  working(): void;
  /** Gives it back, to be delivered again after `millis`. */
  nak(millis?: number): void;
}

/** Publishes with a message id (null: a repeat says the same anyway); resolves when JetStream has stored it (or says it has), rejects when that is unknown. */
export type Publish = (
  subject: string,
  data: Uint8Array,
  messageId: string | null,
  stream: string,
) => Promise<void>;

/** Which of the (account, address) pairs are suppressed, in their order. Rejects when it cannot be known. */
export type SuppressionLookup = (
  pairs: readonly { readonly account: string; readonly address: string }[],
) => Promise<readonly boolean[]>;

export interface MxHost {
  readonly host: string;
  readonly preference: number;
}

/** Where a recipient domain's mail goes now. */
export type Route =
  | {
      readonly kind: 'site';
      readonly site: string;
      readonly provider: string;
      readonly hosts: readonly MxHost[];
    }
  /** The domain takes no mail: no such domain, or a null MX (RFC 7505). */
  | { readonly kind: 'none'; readonly reply: string }
  /** DNS does not say; ask again. */
  | { readonly kind: 'unknown'; readonly reply: string };

/** One attempt: recipients of one parcel at one site, in one SMTP transaction. */
export interface Task {
  readonly hopId: HopId;
  readonly account: string;
  readonly priorityClass: string;
  /** Site and provider: what connections are counted and reused by. */
  readonly site: string;
  readonly provider: string;
  readonly hosts: readonly MxHost[];
  readonly domain: string;
  /** Positions in the parcel's recipient list. */
  readonly indexes: readonly number[];
}

/** What an attempt came to for all or one of its recipients. */
export type Verdict =
  | { readonly kind: 'reply'; readonly reply: string; readonly phase: Phase }
  /** No reply: the connection failed or was lost before the final dot. */
  | { readonly kind: 'failed'; readonly why: string }
  /** The connection was lost after the final dot: the mail may have been taken. */
  | { readonly kind: 'unknown'; readonly why: string }
  /** No connection was granted; this is no attempt. `retryAfterSeconds` says when to ask again. */
  | {
      readonly kind: 'noRoom';
      readonly retryAfterSeconds: number;
      readonly why: string;
      /** Only these recipients wait, for the address they return from: others may have a connection at the site. */
      readonly returns?: true;
    }
  /** Given up by us (shutdown) before the final dot; no attempt either. */
  | { readonly kind: 'aborted' };

export interface AttemptResult {
  /** One verdict per address, in the order they were given. */
  readonly verdicts: readonly Verdict[];
  readonly source: string | null;
  readonly provider: string;
  /** The host that answered. */
  readonly host: string | null;
}

/** Where the recipients of an attempt were refused before. */
export interface Returning {
  /** The address they were deferred from last. */
  readonly sticky: string | null;
  /** The address that was refused for its own reputation. */
  readonly avoid: string | null;
}

export interface Sender {
  /** Sends `parcel` to `addresses` at the task's site. Never rejects. */
  send(
    task: Task,
    parcel: Omit<Parcel, 'recipients'>,
    addresses: readonly string[],
    returning: Returning,
    /** How many recipients wait for the site, these included. */
    want?: number,
  ): Promise<AttemptResult>;
  /** Ends sessions before their final dot; resolves when those past it have ended or `graceMs` is over. */
  stop(graceMs: number): Promise<void>;
  /** Ends idle connections. */
  rest(): void;
  /** The open connections. */
  connections(): Iterable<{ readonly provider: string; readonly source: string }>;
}

export type Policy = QueuePolicySpec;
