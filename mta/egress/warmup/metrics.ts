// What is shown of ledgers. A ledger that is forgotten takes its series along.
import { Gauge } from 'prom-client';

const labelNames = ['address', 'provider'] as const;

const GAUGES = {
  allowance: new Gauge({
    name: 'postfleet_warmup_allowance',
    help: 'Recipients that the address may have accepted today; +Inf when it is warmed',
    labelNames,
  }),
  used: new Gauge({
    name: 'postfleet_warmup_used',
    help: 'Recipients charged to today, as far as they were reported',
    labelNames,
  }),
  day: new Gauge({
    name: 'postfleet_warmup_day',
    help: 'The day of its schedule that the address stands at',
    labelNames,
  }),
  suspended: new Gauge({
    name: 'postfleet_warmup_suspended',
    help: '1 while nothing more is sent today: too much was deferred, refused or complained about',
    labelNames,
  }),
};
export type WarmupView = Readonly<Record<keyof typeof GAUGES, number>>;

export class Gauges {
  set(address: string, provider: string, view: WarmupView): void {
    for (const [name, value] of Object.entries(view))
      GAUGES[name as keyof WarmupView].set({ address, provider }, value);
  }

  remove(address: string, provider: string): void {
    for (const one of Object.values(GAUGES)) one.remove({ address, provider });
  }
}
