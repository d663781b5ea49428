// What is shown of the limits. A pair that is forgotten takes its series along.
import { Counter, Gauge } from 'prom-client';
import type { Pair } from '../../policy/limits/pair.ts';
import { WINDOWS } from '../../policy/limits/window.ts';

let collect: () => void = () => {};
/** Asks `show` of all pairs at each scrape. */
export function showLimits(all: () => void): void {
  collect = all;
}

const labelNames = ['address', 'provider', 'window'] as const;
const use = new Gauge({
  name: 'postfleet_egress_limit_use',
  help: 'What counts against the limit now: recipients of a window, connections open, attempts of a minute',
  labelNames,
  collect: () => collect(),
});
const most = new Gauge({
  name: 'postfleet_egress_limit',
  help: 'The limit over the window, of connections, or of attempts a minute',
  labelNames,
});
export const limitRefusals = new Counter({
  name: 'postfleet_egress_limit_refusals_total',
  help: 'CONNECT requests refused by a limit, by which: a window, connections, attempts, turn, outside, pool-…: a cap over the pool',
  labelNames: ['address', 'provider', 'limit'] as const,
});

/** Shows limits that are set, and no others: a fleet sends to thousands of sites without any. */
export function show(address: string, provider: string, pair: Pair, now: number): void {
  const { limits } = pair;
  const set = (window: string, limit: number | null | undefined, used: () => number) => {
    const labels = { address, provider, window };
    if (limit == null) {
      use.remove(labels);
      most.remove(labels);
      return;
    }
    use.set(labels, used());
    most.set(labels, limit);
  };
  set('connections', limits.connections, () => pair.connections(now));
  set('attempts', limits.attemptsPerMinute, () => pair.attempts(now));
  for (const window of WINDOWS) set(window, limits.messages[window], () => pair.used(window, now));
}

export function forget(address: string, provider: string): void {
  for (const window of ['connections', 'attempts', ...WINDOWS]) {
    use.remove({ address, provider, window });
    most.remove({ address, provider, window });
  }
}
