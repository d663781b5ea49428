import { ratesBy } from './rates.ts';
import { renderPool } from './render.ts';
import { poolReport, warmupRows } from './report.ts';
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

test('what autoscaling has decided is said, and why; the pods that are wished for are the ones it wants', () => {
  const pool = {
    metadata: { name: 'p', namespace: 'mail' },
    spec: { replicas: 1, ipPoolRef: { name: 'ips' } },
  };
  const decided = { replicas: 3, reason: 'ScaledUp', message: 'from 1 to 3 pods: 25 ready at 10 a pod' };
  const autoscaling = { ...decided, ready: 25, inFlight: 0, perSecond: 0, silent: 0, history: [] };
  const status = { readyReplicas: 2, desiredReplicas: 3, autoscaling };
  const text = renderPool(poolReport({ ...pool, status }, new Map(), new Map(), 1));
  expect(text).toContain('autoscaling   3 pods, ScaledUp: from 1 to 3 pods: 25 ready at 10 a pod');
  expect(text).toContain('2/3 pods ready');
  expect(renderPool(poolReport(pool, new Map(), new Map(), 1))).not.toContain('autoscaling');
});

test('the warm-up of the addresses that are limited or stopped, and of no others', () => {
  const address = '192.0.2.1';
  const warmup = [
    { provider: 'yahoo', day: 3, used: 2, allowance: 400, suspended: '25 % bounced: 550 5.7.1 blocked' },
    { provider: 'google', day: 3, used: 700, allowance: 800 },
    { provider: 'small.example', day: 40, used: 1 },
  ];
  const ipPools = [
    {
      metadata: { name: 'other' },
      status: { addresses: [{ address: '192.0.2.9', state: 'Held' as const, warmup }] },
    },
    { metadata: { name: 'ips' }, status: { addresses: [{ address, state: 'Held' as const, warmup }] } },
  ];
  const pool = {
    metadata: { name: 'p', namespace: 'mail' },
    spec: { replicas: 1, ipPoolRef: { name: 'ips' } },
  };
  const rows = warmupRows(pool, ipPools);
  expect(rows).toHaveLength(2);
  const report = { ...poolReport(pool, new Map(), new Map(), 1), warmup: rows };
  expect(renderPool(report).split('\n').slice(-3)).toEqual([
    'WARM-UP     PROVIDER   DAY   USED   ALLOWANCE   STATE',
    '192.0.2.1   yahoo      3     2      400         stopped: 25 % bounced: 550 5.7.1 blocked',
    '192.0.2.1   google     3     700    800         rises',
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
