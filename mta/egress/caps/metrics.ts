// What the pool's lender shows of the caps: over all addresses, so only one pod of the IPPool says it.
import { Gauge } from 'prom-client';
import type { Lending } from '../../policy/limits/lending.ts';
import { WINDOWS } from '../../policy/limits/window.ts';

let collect: () => void = () => {};
/** Asks `all` to show what it has at each scrape. */
export function showPools(all: () => void): void {
  collect = all;
}

const labelNames = ['provider', 'window'] as const;
const use = new Gauge({
  name: 'postfleet_egress_pool_limit_use',
  help: 'What counts against the cap over the pool now, parts lent to egress pods included: recipients of a window, connections, attempts of a minute',
  labelNames,
  collect: () => collect(),
});
const most = new Gauge({
  name: 'postfleet_egress_pool_limit',
  help: 'The cap over all addresses of the IPPool: of the window, of connections, or of attempts a minute',
  labelNames,
});
export const lends = new Gauge({
  name: 'postfleet_egress_pool_lender',
  help: '1 while this pod lends the caps over the IPPool',
});

export function showPool(provider: string, lending: Lending, now: number): void {
  const { limits } = lending;
  const set = (window: string, limit: number | null | undefined, used: () => number) => {
    const labels = { provider, window };
    if (limit == null) {
      use.remove(labels);
      most.remove(labels);
      return;
    }
    use.set(labels, used());
    most.set(labels, limit);
  };
  set('connections', limits.connections, () => lending.connections(now));
  set('attempts', limits.attemptsPerMinute, () => lending.attempts(now));
  for (const window of WINDOWS) set(window, limits.messages[window], () => lending.used(window, now));
}

export function forgetPool(provider: string): void {
  for (const window of ['connections', 'attempts', ...WINDOWS]) {
    use.remove({ provider, window });
    most.remove({ provider, window });
  }
}
