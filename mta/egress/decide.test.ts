import type { Identity } from '../../process/identity/name.ts';
import { queuePolicySpec } from '../../resources/kinds.ts';
import { GRANT_SECONDS } from '../bus/connect.ts';
import type { PoolKey } from '../bus/names.ts';
import type { IPPoolSnapshot, PoolSnapshot } from '../bus/snapshot.ts';
import { decideConnect, type Picture } from './decide.ts';
import { destinationRule } from './destinations.ts';
import { EpochBook } from './epochs.ts';
import type { ConnectRequest } from './request.ts';

const base = { version: 1, namespace: 'mail', uid: 'u', generation: 1 } as const;
const ipPool: IPPoolSnapshot = {
  ...base,
  name: 'ips',
  addresses: [
    { address: '198.51.100.10', ehlo: 'out1.example.com', movable: false, weight: 100 },
    {
      address: '198.51.100.11',
      ehlo: 'out2.example.com',
      bindAddress: '10.0.0.11',
      movable: false,
      weight: 100,
    },
  ],
};
const policy = queuePolicySpec.parse({
  shaping: {
    default: { connections: 3, messagesPerConnection: 20 },
    providers: [{ name: 'small', mxSuffixes: ['small.example'], limits: { connections: 1 } }],
  },
});
const poolNamed = (name: string, uses: string): PoolSnapshot => ({
  ...base,
  name,
  shards: 8,
  classes: [],
  ipPool: uses,
  policy,
  intakeClosed: false,
});
const caller: Identity = {
  namespace: 'mail',
  role: 'delivery',
  pool: 'main',
  pod: 'main-delivery-0',
  uid: 'pod-0',
};
const request: ConnectRequest = {
  host: 'mx1.example.org',
  port: 25,
  source: '198.51.100.10',
  domain: 'example.org',
  epochs: new Map([[0, 4]]),
  account: 'acme',
  recipients: 3,
};

function picture(change: Partial<Picture> = {}): Picture {
  const epochs = new EpochBook();
  epochs.learn('mail_main' as PoolKey, [[0, 4]]);
  epochs.fence('pod-9');
  return {
    ipPool,
    pools: new Map([
      ['mail_main' as PoolKey, poolNamed('main', 'ips')],
      ['mail_full' as PoolKey, poolNamed('full', 'mail/ips')],
      ['mail_other' as PoolKey, poolNamed('other', 'others')],
    ]),
    epochs,
    holds: () => true,
    destination: destinationRule([], () => []),
    ...change,
  };
}

test('grants with the limits of the provider and the name of the address', () => {
  expect(decideConnect(request, caller, picture())).toEqual({
    verdict: 'granted',
    pool: 'mail_main',
    uid: 'pod-0',
    provider: 'example.org',
    unnamed: 'example.org',
    limits: {
      connections: 3,
      messagesPerConnection: 20,
      attemptsPerMinute: null,
      messages: { second: null, minute: null, hour: null, day: null },
    },
    seconds: GRANT_SECONDS,
    ehlo: 'out1.example.com',
    bind: '198.51.100.10',
  });
  const small = { ...request, host: 'mx.small.example', source: '198.51.100.11' };
  expect(decideConnect(small, { ...caller, pool: 'full' }, picture())).toMatchObject({
    provider: 'small',
    limits: { connections: 1, messagesPerConnection: 20 },
    bind: '10.0.0.11',
  });
});

test('pools that share an address are held to the strictest of their policies', () => {
  const slow = queuePolicySpec.parse({
    shaping: { default: { connections: 2, perMinute: 100, connectionAttemptsPerMinute: 7 } },
  });
  const { pools, ...rest } = picture();
  const shared = new Map(pools).set('mail_slow' as PoolKey, { ...poolNamed('slow', 'ips'), policy: slow });
  expect(decideConnect(request, caller, { ...rest, pools: shared })).toMatchObject({
    limits: {
      connections: 2,
      messagesPerConnection: 20,
      attemptsPerMinute: 7,
      messages: { minute: 100, hour: null },
    },
  });
});

test('a destination that one policy names has that name and its limits for all pools of the addresses', () => {
  const named = (name: string, limits: object) =>
    queuePolicySpec.parse({
      shaping: { default: { connections: 9 }, providers: [{ name, mxSuffixes: ['example.org'], limits }] },
    });
  const { pools, ...rest } = picture();
  const withPolicies = (...policies: [string, PoolSnapshot['policy']][]) => ({
    ...rest,
    pools: new Map([
      ...pools,
      ...policies.map(
        ([name, one]) => [`mail_${name}` as PoolKey, { ...poolNamed(name, 'ips'), policy: one }] as const,
      ),
    ]),
  });
  const one = withPolicies(['named', named('bigmail', { connections: 2, perDay: 1000 })]);
  for (const pool of ['main', 'named'])
    expect(decideConnect({ ...request, epochs: new Map() }, { ...caller, pool }, one)).toMatchObject({
      provider: 'bigmail',
      unnamed: 'example.org',
      limits: { connections: 2, messagesPerConnection: 20, messages: { day: 1000 } },
    });
  const two = withPolicies(
    ['z', named('first-made', { connections: 4 })],
    ['named', named('bigmail', { perDay: 1000 })],
  );
  for (const pool of ['main', 'named', 'z'])
    expect(decideConnect({ ...request, epochs: new Map() }, { ...caller, pool }, two)).toMatchObject({
      provider: 'bigmail',
      limits: { connections: 3, messages: { day: 1000 } },
    });
});

const refusals: [string, Partial<ConnectRequest>, Identity | null, Partial<Picture>, string][] = [
  ['no identity', {}, null, {}, 'ForbiddenCaller'],
  ['another role', {}, { ...caller, role: 'ingress' }, {}, 'ForbiddenCaller'],
  ['a delivery pod without a pool', {}, { ...caller, pool: null }, {}, 'ForbiddenCaller'],
  ['a pool that is not known', {}, { ...caller, pool: 'none' }, {}, 'ForbiddenCaller'],
  ['a pool of another namespace', {}, { ...caller, namespace: 'tenant' }, {}, 'ForbiddenCaller'],
  ['a pool with other addresses', {}, { ...caller, pool: 'other' }, {}, 'ForbiddenCaller'],
  ['no snapshot yet', {}, caller, { ipPool: null }, 'ForbiddenCaller'],
  ['a fenced pod', {}, { ...caller, uid: 'pod-9' }, {}, 'StaleEpoch'],
  ['an old epoch', { epochs: new Map([[0, 3]]) }, caller, {}, 'StaleEpoch'],
  ['an address of no one', { source: '198.51.100.99' }, caller, {}, 'NotHolder'],
  ['an address held elsewhere', {}, caller, { holds: () => false }, 'NotHolder'],
  ['an inner address', { host: '10.0.0.1' }, caller, {}, 'ForbiddenDestination'],
  ['another port', { host: '8.8.8.8', port: 26 }, caller, {}, 'ForbiddenDestination'],
];
test.each(refusals)('refuses %s', (_what, change, who, world, reason) => {
  expect(decideConnect({ ...request, ...change }, who, picture(world))).toMatchObject({
    verdict: 'refused',
    reason,
  });
});

test('a newer epoch than is known, and none at all, are no obstacle', () => {
  for (const epochs of [new Map([[0, 9]]), new Map()])
    expect(decideConnect({ ...request, epochs }, caller, picture()).verdict).toBe('granted');
});
