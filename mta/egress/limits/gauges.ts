// Two gauges of limits: what counts against each, and how much it is. Only limits that are set are shown: a fleet sends to thousands of
// sites without any.
import { Gauge } from 'prom-client';
import type { WindowLimits } from '../../policy/limits/budget.ts';
import { WINDOWS, type WindowName } from '../../policy/limits/window.ts';

/** What is limited, and how much of it counts now. */
export interface Limited {
  readonly limits: {
    readonly connections: number | null;
    readonly attemptsPerMinute: number | null;
    readonly messages: WindowLimits;
  };
  connections(now: number): number;
  attempts(now: number): number;
  used(window: WindowName, now: number): number;
}

export class LimitGauges<Label extends string> {
  readonly #use: Gauge<Label | 'window'>;
  readonly #most: Gauge<Label | 'window'>;
  #collect = (): void => {};

  /** @param name of the limit's gauge; the other one's ends in `_use`. @param labels what a limit is known by, beside its window */
  constructor(
    name: string,
    help: { readonly limit: string; readonly use: string },
    labels: readonly Label[],
  ) {
    const labelNames = [...labels, 'window'] as const;
    this.#use = new Gauge({
      name: `${name}_use`,
      help: help.use,
      labelNames,
      collect: () => this.#collect(),
    });
    this.#most = new Gauge({ name, help: help.limit, labelNames });
  }

  /** Asks `show` of all at each scrape. */
  onScrape(showAll: () => void): void {
    this.#collect = showAll;
  }

  show(labels: Readonly<Record<Label, string>>, limited: Limited, now: number): void {
    const { limits } = limited;
    const set = (window: string, limit: number | null | undefined, used: () => number) => {
      if (limit == null) return this.#remove(labels, window);
      this.#use.set({ ...labels, window }, used());
      this.#most.set({ ...labels, window }, limit);
    };
    set('connections', limits.connections, () => limited.connections(now));
    set('attempts', limits.attemptsPerMinute, () => limited.attempts(now));
    for (const window of WINDOWS) set(window, limits.messages[window], () => limited.used(window, now));
  }

  forget(labels: Readonly<Record<Label, string>>): void {
    for (const window of ['connections', 'attempts', ...WINDOWS]) this.#remove(labels, window);
  }

  #remove(labels: Readonly<Record<Label, string>>, window: string): void {
    this.#use.remove({ ...labels, window });
    this.#most.remove({ ...labels, window });
  }
}
