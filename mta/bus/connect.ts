// The CONNECT dialogue between delivery and egress, over mutual TLS (RFC 9110 §9.3.6). The caller's pool and pod UID are
// read from its certificate, never from a header.

/**
 * What keys are agreed on with. Node's preset adds ML-KEM-768, which keeps a key of 6 KiB and a longer handshake for each connection; what goes
 * through here goes on to the MX in the open or under TLS of its own.
 */
export const CONNECT_GROUP = 'X25519';

/** Request: `CONNECT <mx host or literal address>:25`. */
export const CONNECT_HEADERS = {
  /** The source address to send from. */
  source: 'postfleet-source',
  /** The recipient domain, from which (with the MX host) egress derives the provider. */
  domain: 'postfleet-domain',
  /** The shard epochs the caller holds, as `shard:epoch` joined by commas; may be empty. */
  epochs: 'postfleet-epochs',
  /** Whose mail it is (percent-encoded): accounts take turns. Callers of the release before leave it out. */
  account: 'postfleet-account',
  /** How many recipients the caller has for this site now. Who sends it reports outcomes; who leaves it out has used all it was granted. */
  recipients: 'postfleet-recipients',
  /** Response 200: names the grant in reports of outcomes (`POST /v1/outcomes`); absent: none are wanted. */
  grant: 'postfleet-grant',
  /** Response 200: the epoch under which egress holds the source address. */
  epoch: 'postfleet-epoch',
  /** Response 200: how many recipients this connection may carry. */
  messages: 'postfleet-messages',
  /** Response 200: for how many seconds the grant lasts. */
  seconds: 'postfleet-seconds',
  /** Response: the provider egress derived. */
  provider: 'postfleet-provider',
  /** Response 200: the EHLO name of the source address. */
  ehlo: 'postfleet-ehlo',
  /** Response 200: the remote address connected to. */
  peer: 'postfleet-peer',
  /** Response 200 and 429: what warm-up leaves of the day (`WarmupDay`), as `room/allowance;seconds`; absent: it sets no limit. */
  warmup: 'postfleet-warmup',
  /** Response 429: the same as Retry-After, in milliseconds. */
  retryMs: 'postfleet-retry-ms',
  /** Response other than 200: a reason of `ConnectRefusal`. */
  reason: 'postfleet-reason',
} as const;

/** What warm-up leaves of the day to an (address, provider), beside what is granted already. */
export interface WarmupDay {
  /** Recipients. */
  readonly room: number;
  readonly allowance: number;
  readonly endsInSeconds: number;
}

export const formatWarmup = ({ room, allowance, endsInSeconds }: WarmupDay): string =>
  `${room}/${allowance};${endsInSeconds}`;

/** Null for anything else. */
export function parseWarmup(text: string): WarmupDay | null {
  const [, room, allowance, seconds] = /^(\d{1,10})\/(\d{1,10});(\d{1,7})$/.exec(text) ?? [];
  if (room === undefined) return null;
  return { room: Number(room), allowance: Number(allowance), endsInSeconds: Number(seconds) };
}

/** How long a granted connection may start new transactions; a short life lets other pods and new holders have their turn. */
export const GRANT_SECONDS = 120;
/** What a transaction may still take after its grant ended: the ten minutes after the final dot, and one for the data. */
export const AFTER_GRANT_MS = 11 * 60_000;
/** No connection through egress is older. */
export const LONGEST_CONNECTION_MS = GRANT_SECONDS * 1000 + AFTER_GRANT_MS;

/** Why egress does not connect; the status code in front is the HTTP status that carries it. */
export const CONNECT_REFUSALS = {
  ConnectionLimit: 429, // with Retry-After in seconds
  RateLimit: 429, // the same, for messages and connection attempts per time; older callers take it for ConnectionLimit
  PoolConnectionLimit: 429, // a cap over all addresses of the IPPool: another address may have a share of it left
  PoolRateLimit: 429, // the same, for messages and connection attempts per time
  WarmupExhausted: 429, // the allowance of the day is used up; Retry-After says when the day ends
  WarmupSuspended: 429, // the day was ended early, because of how the provider took the mail of this address
  WarmupBusy: 429, // what may be under way at once is in open connections
  WarmupUnavailable: 429, // NATS is away and what was reserved is used up
  NotHolder: 421, // this egress pod does not hold the source address
  StaleEpoch: 409, // an epoch in the list is older than one egress knows, or the caller is fenced
  ForbiddenCaller: 403, // the caller is no delivery pod of a pool that may use this address
  ForbiddenDestination: 403, // private, loopback, link-local, own address, or a port other than 25
  BadRequest: 400,
  ResolveFailed: 502, // temporary DNS failure of the MX host
  NoSuchHost: 502, // the MX host has no address
  ConnectFailed: 502, // refused, unreachable
  ConnectTimeout: 504,
  SourceFailed: 503, // the source address cannot be bound
} as const;
export type ConnectRefusal = keyof typeof CONNECT_REFUSALS;

/**
 * `POST /v1/outcomes` on egress, JSON, by the pod that has the grants: what has become of recipients so far, as totals of each
 * grant, so that a repeated report changes nothing. An unreported recipient counts as accepted once its connection is gone.
 */
export interface OutcomesRequest {
  readonly reports: readonly OutcomeReport[];
}
export interface OutcomeReport {
  readonly grant: string;
  /** Taken by the host, or perhaps taken: the connection was lost after the final dot. */
  readonly accepted: number;
  readonly deferred: number;
  readonly bounced: number;
  /** The last reply that refused a recipient, and its class (mta/policy/replyclass.ts). */
  readonly refusal?: { readonly reply: string; readonly class: string } | undefined;
  /**
   * How many of the deferred were so by a reply that speaks of the source address (`speaksOfAddress` in mta/policy/replyclass.ts), and the last
   * of these replies. Callers of the release before leave it out: all count as what `refusal` says.
   */
  readonly ofAddress?: { readonly deferred: number; readonly reply?: string | undefined } | undefined;
  /** The connection carries nothing more: what is not named above has not been used. */
  readonly done?: boolean | undefined;
}
export const MOST_REPORTS = 500;
/** Characters of a reply that a report carries. */
export const REPORTED_REPLY = 300;
/** For how long after the end of a connection its last report is waited for. */
export const REPORT_GRACE_MS = 5000;

/** `POST /v1/fence` on egress, JSON, by the new owner of a shard: after 200 no connection of `uid` is open and none will be granted. */
export interface FenceRequest {
  readonly pool: string;
  readonly shard: number;
  readonly epoch: number;
  readonly uid: string;
}
export interface FenceResponse {
  readonly closed: number;
}
