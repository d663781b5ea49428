import { sampleDomain, sampleIPPool, samplePolicy, samplePool } from '../desired/samples.ts';
import { domainProblem, type Fleet, ipPoolProblem, poolProblem } from './problems.ts';

const fleet = (over: Partial<Fleet> = {}): Fleet => ({
  pools: [samplePool()],
  ipPools: [sampleIPPool()],
  policies: [samplePolicy()],
  domains: [],
  ...over,
});

test('a pool that names what exists has no problem', () => {
  expect(poolProblem(samplePool({ queuePolicyRef: { name: 'gentle' } }), fleet())).toBeNull();
});

test.each([
  ['IPPoolNotFound', samplePool({ ipPoolRef: { name: 'gone' } })],
  ['PolicyNotFound', samplePool({ queuePolicyRef: { name: 'gone' } })],
])('a pool whose reference leads nowhere: %s', (reason, pool) => {
  expect(poolProblem(pool, fleet())?.reason).toBe(reason);
});

test('an address in two IPPools: the younger one is wrong', () => {
  const older = sampleIPPool({}, { name: 'zoo', creationTimestamp: '2026-01-01T00:00:00Z' });
  const younger = sampleIPPool({}, { name: 'ant', creationTimestamp: '2026-02-01T00:00:00Z' });
  const both = fleet({ ipPools: [older, younger] });
  expect(ipPoolProblem(older, both)).toBeNull();
  expect(ipPoolProblem(younger, both)).toMatchObject({ reason: 'AddressInTwoPools' });
});

test('a dedicated address must be in the IPPool of the pool', () => {
  expect(domainProblem(sampleDomain({ addresses: ['192.0.2.1'] }), fleet())).toBeNull();
  expect(domainProblem(sampleDomain({ addresses: ['192.0.2.1', '192.0.2.9'] }), fleet())).toEqual({
    reason: 'AddressNotInPool',
    message: '192.0.2.9 is to be dedicated, but IPPool "main" does not have it',
  });
});

test('a domain claimed twice: the younger one is wrong; one without a pool too', () => {
  const older = sampleDomain({}, { name: 'zoo', creationTimestamp: '2026-01-01T00:00:00Z' });
  const younger = sampleDomain({}, { name: 'ant', creationTimestamp: '2026-02-01T00:00:00Z' });
  const both = fleet({ domains: [older, younger] });
  expect(domainProblem(older, both)).toBeNull();
  expect(domainProblem(younger, both)?.reason).toBe('DomainInTwoResources');
  expect(domainProblem(older, fleet({ pools: [] }))?.reason).toBe('PoolNotFound');
});
