// Metrics of the operator beyond those of its runtime.
import { Counter, Gauge } from 'prom-client';
import type { Stranded } from '../resources/kinds.ts';

export const natsUp = new Gauge({
  name: 'postfleet_operator_nats_up',
  help: '1 while NATS is connected and has proven its durability.',
});

const stranded = new Gauge({
  name: 'postfleet_stranded_recipients',
  help: 'Recipients, as they were last counted, on volumes that no pod can work now.',
  labelNames: ['pool', 'volume', 'why'],
});

export const givenUpTotal = new Counter({
  name: 'postfleet_given_up_recipients_total',
  help: 'Recipients, as they were last counted, of stranded mail that was given up by annotation.',
  labelNames: ['pool'],
});

const shown = new Map<string, readonly Stranded[]>();

/** What the gauge says of a pool; volumes that are not in the list any more are taken out. */
export function setStranded(pool: string, list: readonly Stranded[]): void {
  for (const { volume, why } of shown.get(pool) ?? []) stranded.remove({ pool, volume, why });
  for (const { volume, why, queued } of list) stranded.set({ pool, volume, why }, queued ?? 0);
  shown.set(pool, list);
}
