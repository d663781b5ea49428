import { randomBytes } from 'node:crypto';
import { openKey, sealKey } from '../../mta/bus/seal.ts';
import { DEFAULT_THRESHOLDS } from '../../mta/policy/warmup/health.ts';
import { sampleDomain, sampleIPPool, samplePolicy, samplePool } from '../desired/samples.ts';
import type { Problem } from '../observe/problems.ts';
import type { ObjectMeta } from '../observe/resources.ts';
import { compileDomain, compileIPPool, compilePool } from './compile.ts';
import { reseal } from './reseal.ts';

const problem: Problem = { reason: 'IPPoolNotFound', message: 'there is no valid IPPool "main"' };
const good = <T>(compiled: { kind: 'Good'; snapshot: T } | { kind: 'Bad'; problem: Problem }): T => {
  if (compiled.kind === 'Bad') throw new Error(compiled.problem.message);
  return compiled.snapshot;
};

describe('a SendingPool', () => {
  test('is compiled with its policy', () => {
    const snapshot = good(compilePool(samplePool(), samplePolicy({ tls: 'Required' }), null, null));
    expect(snapshot).toMatchObject({
      version: 1,
      namespace: 'mail',
      name: 'demo',
      uid: 'uid-demo',
      shards: 8,
      ipPool: 'main',
      policy: { tls: 'Required' },
      intakeClosed: false,
    });
  });

  test('without a policy has the defaults', () => {
    expect(good(compilePool(samplePool(), null, null, null)).policy.retry.maxAge).toBe('5d');
  });

  test('with a problem gives no value, so the last good one stays', () => {
    expect(compilePool(samplePool(), null, problem, null)).toEqual({ kind: 'Bad', problem });
  });

  test('being deleted closes its intake', () => {
    const pool = samplePool({}, { deletionTimestamp: '2026-11-01T00:00:00Z' });
    expect(good(compilePool(pool, null, null, null)).intakeClosed).toBe(true);
  });

  test('never loses a shard', () => {
    const before = good(compilePool(samplePool({ shards: 12 }), null, null, null));
    expect(compilePool(samplePool(), null, null, before)).toMatchObject({
      kind: 'Bad',
      problem: { reason: 'InvalidSpec' },
    });
  });

  test('keeps a class that was taken out, because mail of it may wait', () => {
    const before = good(compilePool(samplePool(), null, null, null));
    const pool = samplePool({ classes: [{ name: 'transactional', weight: 5 }] });
    expect(good(compilePool(pool, null, null, before)).classes).toEqual([
      { name: 'transactional', weight: 5 },
      { name: 'bulk', weight: 1 },
    ]);
  });
});

const alone = { pools: [samplePool()], domains: [] };

test('an IPPool is compiled, and one with a problem is not', () => {
  expect(good(compileIPPool(sampleIPPool(), null, null, alone)).addresses).toEqual([
    { address: '192.0.2.1', ehlo: 'm1.example.org', movable: false, state: 'Active', weight: 100 },
  ]);
  expect(compileIPPool(sampleIPPool(), problem, null, alone).kind).toBe('Bad');
});

test('an IPPool says who may hold what, and where movable addresses are brought up', () => {
  const addresses = [
    { address: '192.0.2.1', ehlo: 'm1.example.org' },
    { address: '192.0.2.2', ehlo: 'm2.example.org', movable: true },
  ];
  const pool = sampleIPPool({ addresses, placement: { segment: '192.0.2.0/24' } });
  const placed = [
    { address: '192.0.2.1', nodes: null, problem: null },
    { address: '192.0.2.2', nodes: ['b', 'a'], problem: null },
  ];
  expect(good(compileIPPool(pool, null, { addresses: placed, podNodes: [] }, alone))).toMatchObject({
    placement: { '192.0.2.2': ['b', 'a'] },
    bringUp: { segment: '192.0.2.0/24' },
  });
  expect(good(compileIPPool(sampleIPPool(), null, null, alone))).not.toHaveProperty('placement');
});

test('an IPPool carries its warm-up, with the defaults', () => {
  expect(good(compileIPPool(sampleIPPool(), null, null, alone))).not.toHaveProperty('warmup');
  expect(
    good(compileIPPool(sampleIPPool({ warmup: { timeZone: 'Europe/Berlin' } }), null, null, alone)).warmup,
  ).toEqual({
    timeZone: 'Europe/Berlin',
    schedules: {},
    overflow: 'Warmed',
    engagedFirst: false,
    countDeferred: false,
    stepBackDays: 3,
    thresholds: DEFAULT_THRESHOLDS,
    keepLedgerDays: 90,
  });
});

test('addresses that a domain names are its own; the older of two claimants counts', () => {
  const domain = (addresses: string[], over: Partial<ObjectMeta>, spec: object = {}) =>
    sampleDomain({ addresses, ...spec }, over);
  const domains = [
    domain(['192.0.2.1'], { name: 'a', creationTimestamp: '2026-01-01T00:00:00Z' }),
    domain(['192.0.2.2'], { name: 'b', creationTimestamp: '2026-02-01T00:00:00Z' }),
    domain(['192.0.2.3'], { name: 'c' }, { domain: 'other.example', poolRef: { name: 'elsewhere' } }),
    sampleDomain({ domain: 'free.example' }, { name: 'd' }),
  ];
  const { dedicated } = good(compileIPPool(sampleIPPool(), null, null, { ...alone, domains }));
  expect(dedicated).toEqual({ 'example.org': ['192.0.2.1'] });
});

describe('a SendingDomain', () => {
  const key = randomBytes(32);
  const keys = [{ selector: 'pf1', pem: 'PEM' }];

  test('is compiled with its keys sealed', () => {
    const snapshot = good(compileDomain(sampleDomain(), keys, null, null, reseal(key)));
    expect(snapshot).toMatchObject({
      domain: 'example.org',
      pool: 'mail/demo',
      accounts: [],
      returnPath: null,
    });
    expect(snapshot.dkim.map((k) => openKey(k.sealedKey, key))).toEqual(['PEM']);
  });

  test('compiled again is the same to the byte, so nothing is written', () => {
    const first = good(compileDomain(sampleDomain(), keys, null, null, reseal(key)));
    expect(compileDomain(sampleDomain(), keys, null, first, reseal(key))).toEqual({
      kind: 'Good',
      snapshot: first,
    });
  });

  test('a changed key or sealing key is sealed anew', () => {
    expect(openKey(reseal(key)('new', sealKey('old', key)), key)).toBe('new');
    expect(openKey(reseal(key)('same', sealKey('same', randomBytes(32))), key)).toBe('same');
  });

  test('without one of its keys it is not compiled', () => {
    const compiled = compileDomain(sampleDomain(), [], null, null, reseal(key));
    expect(compiled).toMatchObject({ kind: 'Bad', problem: { reason: 'KeyMissing' } });
  });
});
