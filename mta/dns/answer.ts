// What an answer says, reduced to what mail needs. Temporary failure is a kind of its own: it never counts as "does not exist".
export type QueryType = 'A' | 'AAAA' | 'MX' | 'TXT';
export interface MxRecord {
  readonly preference: number;
  readonly exchange: string;
}

export type DnsRecord =
  | { readonly type: 'A' | 'AAAA' | 'TXT'; readonly data: string }
  | { readonly type: 'MX'; readonly data: MxRecord };

export type Answer =
  | { readonly kind: 'records'; readonly records: readonly DnsRecord[] }
  /** The name exists and has no record of this type. */
  | { readonly kind: 'no-data' }
  /** NXDOMAIN: the name does not exist. */
  | { readonly kind: 'no-domain' }
  /** Timeout, SERVFAIL, REFUSED, nonsense: nothing is known. */
  | { readonly kind: 'temporary'; readonly reason: string };

/** An answer and for how long its source says it holds; null: it does not say. */
export interface TimedAnswer {
  readonly answer: Answer;
  readonly ttlSeconds: number | null;
}

export interface Resolver {
  /** Never rejects. Names are compared without case; a final dot is allowed; U-labels are converted. */
  query(name: string, type: QueryType): Promise<Answer>;
  /** Ends what is under way (those queries answer `temporary`). */
  close(): void;
}
