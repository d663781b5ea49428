// A set of 16-byte ids in one block of memory: 21 to 32 bytes an id, where a Set of strings takes 100. Exact, never a guess: an id that
// was taken for another would be a mail that is not sent. The ids are hashes already, so their first word is the place (open addressing).
import { ID_BYTES } from './chunk.ts';

const WORDS = ID_BYTES / 4;
const FIRST_SLOTS = 1024;
/** Most of the slots that may be taken, in percent. */
const FULL = 75;

export class IdSet {
  #words = new Uint32Array(FIRST_SLOTS * WORDS);
  #size = 0;
  /** Four words of 0 mark a free slot. */
  #hasZero = false;

  get size(): number {
    return this.#size + Number(this.#hasZero);
  }

  /** Adds the id in the 16 bytes from `at` on. */
  add(bytes: Buffer, at = 0): void {
    if ((this.#size + 1) * 100 > (this.#words.length / WORDS) * FULL) this.#grow();
    this.#put(
      bytes.readUInt32BE(at),
      bytes.readUInt32BE(at + 4),
      bytes.readUInt32BE(at + 8),
      bytes.readUInt32BE(at + 12),
    );
  }

  has(bytes: Buffer): boolean {
    const [a, b, c, d] = [
      bytes.readUInt32BE(0),
      bytes.readUInt32BE(4),
      bytes.readUInt32BE(8),
      bytes.readUInt32BE(12),
    ];
    if ((a | b | c | d) === 0) return this.#hasZero;
    return !this.#isFree(this.#slotOf(a, b, c, d));
  }

  #put(a: number, b: number, c: number, d: number): void {
    if ((a | b | c | d) === 0) {
      this.#hasZero = true;
      return;
    }
    const slot = this.#slotOf(a, b, c, d);
    if (this.#isFree(slot)) this.#size++;
    this.#words[slot] = a;
    this.#words[slot + 1] = b;
    this.#words[slot + 2] = c;
    this.#words[slot + 3] = d;
  }

  /** Where the id stands, or the free slot where it would. */
  #slotOf(a: number, b: number, c: number, d: number): number {
    const words = this.#words;
    let slot = (a * WORDS) % words.length;
    while (!this.#isFree(slot)) {
      if (words[slot] === a && words[slot + 1] === b && words[slot + 2] === c && words[slot + 3] === d)
        return slot;
      slot = (slot + WORDS) % words.length;
    }
    return slot;
  }

  #isFree(slot: number): boolean {
    const words = this.#words;
    return (
      ((words[slot] ?? 0) | (words[slot + 1] ?? 0) | (words[slot + 2] ?? 0) | (words[slot + 3] ?? 0)) === 0
    );
  }

  #grow(): void {
    const before = this.#words;
    this.#words = new Uint32Array(Math.ceil((before.length / WORDS) * 1.5) * WORDS);
    this.#size = 0;
    for (let at = 0; at < before.length; at += WORDS)
      this.#put(before[at] ?? 0, before[at + 1] ?? 0, before[at + 2] ?? 0, before[at + 3] ?? 0);
  }
}
