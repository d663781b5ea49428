// What is shown of the limits. A pair that is forgotten takes its series along.
import { Counter } from 'prom-client';
import { LimitGauges } from './gauges.ts';

export const pairGauges = new LimitGauges(
  'postfleet_egress_limit',
  {
    limit: 'The limit over the window, of connections, or of attempts a minute',
    use: 'What counts against the limit now: recipients of a window, connections open, attempts of a minute',
  },
  ['address', 'provider'],
);
export const limitRefusals = new Counter({
  name: 'postfleet_egress_limit_refusals_total',
  help: 'CONNECT requests refused by a limit, by which: a window, connections, attempts, turn, outside, pool-…: a cap over the pool',
  labelNames: ['address', 'provider', 'limit'] as const,
});
