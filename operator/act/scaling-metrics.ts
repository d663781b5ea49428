// What metrics show of the number of pods: what is wished for, and what autoscaling goes by.
import { Gauge } from 'prom-client';
import type { Scaling } from '../decide/autoscale.ts';

const desiredReplicas = new Gauge({
  name: 'postfleet_pool_desired_replicas',
  help: 'Delivery pods that a SendingPool is to have, by spec.replicas or by autoscaling.',
  labelNames: ['pool'],
});

const poolLoad = new Gauge({
  name: 'postfleet_pool_load',
  help: 'What autoscaling of a SendingPool goes by: ready, in_flight, per_second, silent. Only with spec.autoscaling.',
  labelNames: ['pool', 'measure'],
});

const MEASURES = ['ready', 'in_flight', 'per_second', 'silent'] as const;

export function measureScaling(pool: string, replicas: number, scaling: Scaling | null): void {
  desiredReplicas.set({ pool }, replicas);
  if (!scaling) {
    forgetLoad(pool);
    return;
  }
  const { ready, inFlight, perSecond, silent } = scaling.load;
  const values = { ready, in_flight: inFlight, per_second: perSecond, silent: silent.length };
  for (const measure of MEASURES) poolLoad.set({ pool, measure }, values[measure]);
}

/** The pool is gone. */
export function forgetScaling(pool: string): void {
  desiredReplicas.remove({ pool });
  forgetLoad(pool);
}

function forgetLoad(pool: string): void {
  for (const measure of MEASURES) poolLoad.remove({ pool, measure });
}
