// What the pool's lender shows of the caps: over all addresses, so only one pod of the IPPool says it.
import { Gauge } from 'prom-client';
import { LimitGauges } from '../limits/gauges.ts';

export const poolGauges = new LimitGauges(
  'postfleet_egress_pool_limit',
  {
    limit: 'The cap over all addresses of the IPPool: of the window, of connections, or of attempts a minute',
    use: 'What counts against the cap over the pool now, parts lent to egress pods included: recipients of a window, connections, attempts of a minute',
  },
  ['provider'],
);
export const lends = new Gauge({
  name: 'postfleet_egress_pool_lender',
  help: '1 while this pod lends the caps over the IPPool',
});
