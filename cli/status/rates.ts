// Rates between two scrapes of the same pods. Pure.
import type { Sample } from './samples.ts';

/** One scrape: the samples of each pod by its name. */
export type Scrape = ReadonlyMap<string, readonly Sample[]>;

/**
 * The increase per second of counter `name` between two scrapes, summed by the value of `label`. A pod that was not in the
 * first scrape counts from zero; a counter that went down (a restart) counts from zero too.
 */
export function ratesBy(
  name: string,
  label: string,
  where: Readonly<Record<string, string>>,
  before: Scrape,
  after: Scrape,
  seconds: number,
): Map<string, number> {
  const rates = new Map<string, number>();
  for (const [pod, samples] of after) {
    const earlier = new Map((before.get(pod) ?? []).map((sample) => [seriesKey(sample), sample.value]));
    for (const sample of samples) {
      if (sample.name !== name || !matches(sample, where)) continue;
      const base = earlier.get(seriesKey(sample)) ?? 0;
      const increase = sample.value >= base ? sample.value - base : sample.value;
      const group = sample.labels[label] ?? '';
      rates.set(group, (rates.get(group) ?? 0) + increase / seconds);
    }
  }
  return rates;
}

const seriesKey = (sample: Sample) => `${sample.name}${JSON.stringify(Object.entries(sample.labels).sort())}`;
const matches = (sample: Sample, where: Readonly<Record<string, string>>) =>
  Object.entries(where).every(([key, value]) => sample.labels[key] === value);
