// What egress counts.
import { Counter, Gauge, Histogram } from 'prom-client';

export const connectionsOpen = new Gauge({
  name: 'postfleet_egress_connections',
  help: 'Connections to mail exchangers that are open or being opened',
  labelNames: ['address', 'provider'] as const,
});
export const grants = new Counter({
  name: 'postfleet_egress_grants_total',
  help: 'CONNECT requests granted',
  labelNames: ['address', 'provider'] as const,
});
export const refusals = new Counter({
  name: 'postfleet_egress_refusals_total',
  help: 'CONNECT requests refused, by reason of the dialogue',
  labelNames: ['reason', 'provider', 'address'] as const,
});
export const bytes = new Counter({
  name: 'postfleet_egress_bytes_total',
  help: 'Bytes carried between delivery and mail exchangers',
  labelNames: ['direction'] as const,
});
export const leaseHeld = new Gauge({
  name: 'postfleet_egress_lease',
  help: '1 while this pod holds the address',
  labelNames: ['address'] as const,
});
export const unfit = new Gauge({
  name: 'postfleet_egress_unfit',
  help: '1 while the address is held and taken out, because it cannot bind or connect',
  labelNames: ['address'] as const,
});
export const connectSeconds = new Histogram({
  name: 'postfleet_egress_connect_seconds',
  help: 'From the grant to the established connection, DNS included',
  labelNames: ['provider'] as const,
  buckets: [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
});
export const fences = new Counter({
  name: 'postfleet_egress_fenced_total',
  help: 'Delivery pods fenced: none of their connections is open or will be granted',
});
