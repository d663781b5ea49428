// Answers by question, each until its time is over, at most `capacity`: the one least recently asked for goes first.
import type { Answer } from './answer.ts';

interface Entry {
  readonly answer: Answer;
  readonly expiresAt: number;
}

export class AnswerCache {
  readonly #entries = new Map<string, Entry>();
  readonly #capacity: number;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** The answer while it holds at `now` (ms of the resolver's clock). */
  get(key: string, now: number): Answer | null {
    const entry = this.#entries.get(key);
    if (!entry || entry.expiresAt <= now) return null;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.answer;
  }

  /** Records whose time is over for less than `staleMs`: for when nobody answers (RFC 8767). */
  stale(key: string, now: number, staleMs: number): Answer | null {
    const entry = this.#entries.get(key);
    return entry?.answer.kind === 'records' && now < entry.expiresAt + staleMs ? entry.answer : null;
  }

  set(key: string, answer: Answer, expiresAt: number): void {
    this.#entries.delete(key);
    this.#entries.set(key, { answer, expiresAt });
    const oldest = this.#entries.keys().next();
    if (this.#entries.size > this.#capacity && !oldest.done) this.#entries.delete(oldest.value);
  }

  get size(): number {
    return this.#entries.size;
  }
}
