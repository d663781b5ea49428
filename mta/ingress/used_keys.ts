// Idempotency-Keys and what they were used for. A key decides the message's id, so a second message under it would be answered with 202
// and never be sent; it is refused instead. Each ingress pod remembers its own: a guard against mistakes of clients, not the
// recognition of repeats, which is the queue's.
import { createHash } from 'node:crypto';
import { Refused } from './refusal.ts';

const MOST_KEPT = 100_000;

/** What a request asks for, whatever it is made into: Date and boundaries are new each time. */
export function fingerprint(body: unknown, envelope: readonly unknown[]): string {
  const octets = Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body) ?? '');
  return createHash('sha256').update(JSON.stringify(envelope)).update('\n').update(octets).digest('base64');
}

export class UsedKeys {
  /** Fingerprints by account and key, the oldest first. */
  readonly #used = new Map<string, string>();
  readonly #most: number;

  constructor(most = MOST_KEPT) {
    this.#most = most;
  }

  /** @throws Refused keyReused when the key stands for something else. */
  check(account: string, key: string, what: string): void {
    const before = this.#used.get(nameOf(account, key));
    if (before !== undefined && before !== what)
      throw new Refused('keyReused', 'this Idempotency-Key was used for another message');
  }

  /** The key stands for this from now on: it is stored, or may be. */
  keep(account: string, key: string, what: string): void {
    const name = nameOf(account, key);
    this.#used.delete(name);
    this.#used.set(name, what);
    const oldest = this.#used.keys().next().value;
    if (this.#used.size > this.#most && oldest !== undefined) this.#used.delete(oldest);
  }
}

const nameOf = (account: string, key: string): string => JSON.stringify([account, key]);
