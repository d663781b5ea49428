import { ratesBy } from './rates.ts';
import { parseSamples } from './samples.ts';

const text = (delivered: number, deferred: number) => `# HELP x y
postfleet_delivery_recipients_total{pool="a/b",provider="goo\\"gle",result="delivered"} ${delivered}
postfleet_delivery_recipients_total{pool="a/b",provider="other",result="deferred"} ${deferred}
up 1
nonsense`;

test('samples are read with their labels, nonsense is left out', () => {
  expect(parseSamples(text(3, 4))).toEqual([
    {
      name: 'postfleet_delivery_recipients_total',
      labels: { pool: 'a/b', provider: 'goo"gle', result: 'delivered' },
      value: 3,
    },
    {
      name: 'postfleet_delivery_recipients_total',
      labels: { pool: 'a/b', provider: 'other', result: 'deferred' },
      value: 4,
    },
    { name: 'up', labels: {}, value: 1 },
  ]);
});

describe('ratesBy', () => {
  const scrape = (pods: Record<string, string>) =>
    new Map(Object.entries(pods).map(([pod, t]) => [pod, parseSamples(t)]));
  const rates = (before: Record<string, string>, after: Record<string, string>) =>
    Object.fromEntries(
      ratesBy(
        'postfleet_delivery_recipients_total',
        'provider',
        { result: 'delivered' },
        scrape(before),
        scrape(after),
        2,
      ),
    );

  test('sums the increase over the pods, of the chosen result only', () => {
    expect(rates({ p0: text(10, 0), p1: text(0, 0) }, { p0: text(14, 9), p1: text(2, 0) })).toEqual({
      'goo"gle': 3,
    });
  });
  test('a restarted pod counts from zero, a new one too', () => {
    expect(rates({ p0: text(100, 0) }, { p0: text(4, 0), p1: text(6, 0) })).toEqual({ 'goo"gle': 5 });
  });
});
