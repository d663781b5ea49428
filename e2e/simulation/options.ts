// The run that docs/warmup.svg shows.
import type { Options } from './fleet.ts';

export const SHIPPED: Options = { seed: 5, addresses: 40, days: 60, deathsPerHour: 0.004 };
