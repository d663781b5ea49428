// Octets of messages that were received and not yet answered. Above the bound nobody begins another: memory is finite.
import { Refused } from './refusal.ts';

export class InFlight {
  readonly #most: number;
  #bytes = 0;

  constructor(mostBytes: number) {
    this.#most = mostBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** @throws Refused full */
  refuseWhenFull(): void {
    if (this.#bytes >= this.#most) throw new Refused('full', 'too many messages at once, try again later');
  }

  hold(bytes: number): void {
    this.#bytes += bytes;
  }

  release(bytes: number): void {
    this.#bytes -= bytes;
  }
}
