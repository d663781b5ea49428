// Metrics of the operator beyond those of its runtime.
import { Gauge } from 'prom-client';

export const natsUp = new Gauge({
  name: 'postfleet_operator_nats_up',
  help: '1 while NATS is connected and has proven its durability.',
});
