// Keeps the fitness of each address held here, and takes out those that are of no use. Decisions are in fitness.ts.
import type { AddressLease } from '../bus/snapshot.ts';
import {
  type DialOutcome,
  FIT,
  type Fitness,
  type FitnessRules,
  isSuspect,
  judgeFitness,
  noteDial,
  unfitWhy,
} from './fitness.ts';

export interface PhysicianParts {
  readonly rules: FitnessRules;
  /** Monotonic ms. */
  readonly now: () => number;
  /** Leases of the pool's addresses, also those held elsewhere. Rejects while NATS is away. */
  readonly leases: () => Promise<readonly AddressLease[]>;
  /** An address is out, and why, or (null) in use again. */
  readonly onChange: (address: string, why: string | null) => void;
}

export class Physician {
  readonly #parts: PhysicianParts;
  readonly #fitness = new Map<string, Fitness>();
  readonly #told = new Map<string, string>();
  readonly #lastConnected = new Map<string, number>();
  /** How many connections addresses elsewhere had made when one here became suspect. */
  #counts: ReadonlyMap<string, number> | null = null;

  constructor(parts: PhysicianParts) {
    this.#parts = parts;
  }

  note(address: string, outcome: DialOutcome, host: string): void {
    const now = this.#parts.now();
    if (outcome === 'connected') this.#lastConnected.set(address, now);
    this.#fitness.set(address, noteDial(this.#fitness.get(address) ?? FIT, outcome, host, now));
    if (outcome !== 'failed') this.#judge(address, false);
  }

  /** One look at all: to be called every few seconds. */
  async look(): Promise<void> {
    const now = this.#parts.now();
    const suspects = [...this.#fitness].filter(([, fitness]) => isSuspect(fitness, now, this.#parts.rules));
    const elsewhere = suspects.length > 0 && (await this.#connectsElsewhere());
    if (suspects.length === 0) this.#counts = null;
    for (const [address, { failingSince }] of this.#fitness)
      this.#judge(address, elsewhere || this.#connectsHere(address, failingSince ?? now));
  }

  /** It is not held here any more: whoever holds it next finds out anew. */
  forget(address: string): void {
    this.#fitness.delete(address);
    this.#lastConnected.delete(address);
    this.#tell(address, null);
  }

  #connectsHere(address: string, sinceMs: number): boolean {
    return [...this.#lastConnected].some(([other, at]) => other !== address && at > sinceMs);
  }

  /** Whether an address held by another pod has connected since the last look. */
  async #connectsElsewhere(): Promise<boolean> {
    const leases = await this.#parts.leases().catch(() => []);
    const held = leases.filter(({ address, released }) => !released && !this.#fitness.has(address));
    const before = this.#counts;
    this.#counts = new Map(held.map(({ address, connected = 0 }) => [address, connected]));
    return held.some(({ address, connected = 0 }) => connected > (before?.get(address) ?? connected));
  }

  #judge(address: string, othersConnect: boolean): void {
    const now = this.#parts.now();
    const fitness = judgeFitness(this.#fitness.get(address) ?? FIT, othersConnect, now, this.#parts.rules);
    this.#fitness.set(address, fitness);
    this.#tell(address, unfitWhy(fitness, now));
  }

  #tell(address: string, why: string | null): void {
    if ((this.#told.get(address) ?? null) === why) return;
    if (why === null) this.#told.delete(address);
    else this.#told.set(address, why);
    this.#parts.onChange(address, why);
  }
}
