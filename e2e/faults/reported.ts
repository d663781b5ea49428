// What the fleet itself says it may have repeated: counters of the delivery pods, added up over restarts.
import type { Scene } from './scene.ts';

const POSSIBLY = 'postfleet_possibly_repeated_total';
const IN_FLIGHT = 'postfleet_delivery_in_flight';

/** The value of a metric without caring for its labels; 0 when it is absent. Pure. */
export function metric(text: string, name: string): number {
  const lines = text.split('\n').filter((line) => line.startsWith(name));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

/** How much a counter grew, when a lower value means that its process is a new one. Pure. */
export const growth = (before: number, now: number): number => (now >= before ? now - before : now);

export class Reported {
  #possiblyRepeated = 0;
  #mostInFlight = 0;
  #reading = false;
  readonly #last = new Map<string, number>();
  readonly #scene: Scene;

  constructor(scene: Scene) {
    this.#scene = scene;
  }

  get possiblyRepeated(): number {
    return this.#possiblyRepeated;
  }
  /** The most attempts that a pod had under way when it was asked. */
  get mostInFlight(): number {
    return this.#mostInFlight;
  }

  /** Asks every delivery pod; one that does not answer is asked next time. What it counted before its end may be missed. */
  async read(): Promise<void> {
    // One at a time: growth is against the reading before.
    if (this.#reading) return;
    this.#reading = true;
    await this.#readAll().finally(() => {
      this.#reading = false;
    });
  }

  async #readAll(): Promise<void> {
    for (const { pod } of this.#scene.processes('delivery')) {
      const text = await this.#scene.ask(`${pod}:9090`, '/metrics').catch(() => null);
      if (text === null) continue;
      const now = metric(text, POSSIBLY);
      this.#possiblyRepeated += growth(this.#last.get(pod) ?? 0, now);
      this.#last.set(pod, now);
      this.#mostInFlight = Math.max(this.#mostInFlight, metric(text, IN_FLIGHT));
    }
  }
}
