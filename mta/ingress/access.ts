// Who is at the door: keys from PostgreSQL, kept for ten seconds, and for five minutes while PostgreSQL does not answer.
import type { KeyRecord } from '../../gateway/keys.ts';
import { tokenKeyId, tokenMatches } from '../../gateway/token.ts';
import { Refused } from './refusal.ts';

/** A revoked key works for at most this long. */
export const KEY_FRESH_MS = 10_000;
/** An account whose key was used within this time stays known while PostgreSQL is away. */
export const KEY_STALE_MS = 300_000;
const MOST_KEYS = 50_000;

export interface Caller {
  readonly account: string;
  readonly keyId: string;
}

export class Access {
  readonly #findKey: (id: string) => Promise<KeyRecord | null>;
  readonly #now: () => number;
  readonly #known = new Map<string, { readonly key: KeyRecord; readonly at: number }>();

  constructor(
    findKey: (id: string) => Promise<KeyRecord | null>,
    now: () => number = () => performance.now(),
  ) {
    this.#findKey = findKey;
    this.#now = now;
  }

  /** Who holds the token. @throws Refused credentials, or authUnavailable when it cannot be known. */
  async authenticate(token: string): Promise<Caller> {
    const id = tokenKeyId(token);
    const key = id === null ? null : await this.#key(id);
    if (!key || !tokenMatches(token, key.hash)) throw new Refused('credentials', 'the key is not valid');
    return { account: key.account, keyId: key.id };
  }

  /** SMTP AUTH: the user is the key's id or the account's name, the password is the token. */
  async login(user: string, password: string): Promise<Caller> {
    const caller = await this.authenticate(password);
    if (user !== caller.keyId && user !== caller.account)
      throw new Refused('credentials', 'the key is not valid for this user');
    return caller;
  }

  async #key(id: string): Promise<KeyRecord | null> {
    const kept = this.#known.get(id);
    if (kept && this.#now() - kept.at < KEY_FRESH_MS) return kept.key;
    try {
      const key = await this.#findKey(id);
      this.#known.delete(id);
      if (key) this.#keep(id, key);
      return key;
    } catch (cause) {
      if (kept && this.#now() - kept.at < KEY_STALE_MS) return kept.key;
      throw new Refused('authUnavailable', 'the key cannot be checked now', { cause });
    }
  }

  #keep(id: string, key: KeyRecord): void {
    if (this.#known.size >= MOST_KEYS) {
      const oldest = this.#known.keys().next().value;
      if (oldest !== undefined) this.#known.delete(oldest);
    }
    this.#known.set(id, { key, at: this.#now() });
  }
}
