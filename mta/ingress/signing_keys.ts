// The DKIM keys of a domain, opened once per generation of its SendingDomain.
import { openKey } from '../bus/seal.ts';
import type { DomainSnapshot } from '../bus/snapshot.ts';
import { type DkimKey, readDkimKey } from '../message/dkim.ts';
import { Refused } from './refusal.ts';

const MOST_DOMAINS = 20_000;

export class SigningKeys {
  readonly #sealingKey: Uint8Array;
  readonly #opened = new Map<string, { readonly of: string; readonly keys: readonly DkimKey[] }>();

  constructor(sealingKey: Uint8Array) {
    this.#sealingKey = sealingKey;
  }

  /** @throws Refused when a key cannot be opened: mail is held, never sent unsigned. */
  keysOf(domain: DomainSnapshot): readonly DkimKey[] {
    const of = `${domain.uid}/${domain.generation}/${domain.dkim.map(({ sealedKey }) => sealedKey).join()}`;
    const kept = this.#opened.get(domain.domain);
    if (kept?.of === of) return kept.keys;
    const keys = this.#open(domain);
    if (this.#opened.size >= MOST_DOMAINS) this.#opened.clear();
    this.#opened.set(domain.domain, { of, keys });
    return keys;
  }

  #open(domain: DomainSnapshot): readonly DkimKey[] {
    try {
      return domain.dkim.map(({ selector, sealedKey }) =>
        readDkimKey(domain.domain, selector, openKey(sealedKey, this.#sealingKey)),
      );
    } catch (cause) {
      throw new Refused('unavailable', `a DKIM key of ${domain.domain} cannot be used`, {
        status: '4.7.5',
        cause,
      });
    }
  }
}
