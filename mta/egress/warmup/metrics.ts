// What is shown of ledgers. A ledger that is forgotten takes its series along.
import { Gauge } from 'prom-client';

const labelNames = ['address', 'provider'] as const;
const gauge = (name: string, help: string) =>
  new Gauge({ name: `postfleet_warmup_${name}`, help, labelNames });

const GAUGES = {
  allowance: gauge(
    'allowance',
    'Recipients that the address may have accepted today; +Inf when it is warmed',
  ),
  used: gauge('used', 'Recipients charged to today, as far as they were reported'),
  day: gauge('day', 'The day of its schedule that the address stands at'),
  suspended: gauge(
    'suspended',
    '1 while nothing more is sent today: too many were deferred, bounced or complained',
  ),
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
