// When sender and recipient were first seen, and how often a message's connection was dropped: the memory of misbehaviour.
import { networkOf, type RcptFacts } from './behaviour.ts';

export class Sightings {
  readonly #first = new Map<string, number>();
  readonly #drops = new Map<string, number>();
  readonly #now: () => number;

  /** `now` in ms, monotonic. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  ages(
    source: string,
    from: string,
    recipient: string,
  ): Pick<RcptFacts, 'tripleAgeSeconds' | 'recipientAgeSeconds'> {
    return {
      tripleAgeSeconds: this.#age(`${networkOf(source)} ${from} ${recipient}`),
      recipientAgeSeconds: this.#age(recipient),
    };
  }

  #age(key: string): number {
    const now = this.#now();
    const first = this.#first.get(key) ?? now;
    this.#first.set(key, first);
    return (now - first) / 1000;
  }

  drops(message: string): number {
    return this.#drops.get(message) ?? 0;
  }

  dropped(message: string): void {
    this.#drops.set(message, this.drops(message) + 1);
  }

  clear(): void {
    this.#first.clear();
    this.#drops.clear();
  }
}
