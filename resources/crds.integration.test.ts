// The CRDs in a real API server: it is the judge of schemas, CEL rules and their cost, and the TypeScript rules must agree with it.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { type ApiServer, startApiServer } from '../e2e/rig/apiserver.ts';
import { type ApiCall, apiCalls, MERGE } from '../e2e/rig/apiserver-client.ts';
import { customResourceDefinition } from './crd.ts';
import { type Definition, definitions } from './definitions.ts';
import {
  type Validated,
  validateIPPool,
  validateQueuePolicy,
  validateSendingDomain,
  validateSendingPool,
} from './validate.ts';

type Kind = Definition['kind'];
const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const samples = join(import.meta.dirname, '..', 'crds', 'samples');
const plural = (kind: Kind): string => definitions.find((one) => one.kind === kind)?.plural ?? '';
const path = (kind: Kind, name = ''): string =>
  `/apis/postfleet.io/v1alpha1/namespaces/default/${plural(kind)}${name && `/${name}`}`;
const resource = (kind: Kind, name: string, spec: unknown): object => ({
  apiVersion: 'postfleet.io/v1alpha1',
  kind,
  metadata: { name },
  spec,
});

let server: ApiServer;
let call: ApiCall;

beforeAll(async () => {
  server = await startApiServer();
  call = await apiCalls(server.kubeconfigPath);
  for (const definition of definitions) {
    const made = await call('POST', CRDS, customResourceDefinition(definition));
    if (made.status !== 201) throw new Error(JSON.stringify(made.body.message));
  }
  for (const definition of definitions) await established(definition);
}, 90_000);
afterAll(() => server?.stop());

async function established(definition: Definition): Promise<void> {
  for (;;) {
    const { body } = await call('GET', `${CRDS}/${definition.plural}.postfleet.io`);
    const conditions: { type: string; status: string; message: string }[] = body.status?.conditions ?? [];
    const broken = conditions.find(({ type, status }) => type === 'NonStructuralSchema' && status === 'True');
    if (broken) throw new Error(broken.message);
    const served = await call('GET', path(definition.kind));
    if (
      conditions.some(({ type, status }) => type === 'Established' && status === 'True') &&
      served.status === 200
    )
      return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

test('the samples are accepted, and defaults are filled in', async () => {
  for (const file of readdirSync(samples)) {
    const sample = parse(readFileSync(join(samples, file), 'utf8'));
    const made = await call('POST', `${path(sample.kind)}?fieldValidation=Strict`, sample);
    expect({ file, status: made.status, message: made.body.message }).toEqual({ file, status: 201 });
  }
  const { body: pool } = await call('GET', path('SendingPool', 'demo'));
  expect(pool.spec).toEqual({
    replicas: 3,
    shards: 8,
    ipPoolRef: { name: 'demo' },
    queuePolicyRef: { name: 'demo' },
    storage: { size: '1Gi', whenDrained: 'Keep' },
    drain: { mode: 'Transfer' },
    deletionPolicy: 'Drain',
    classes: [
      { name: 'transactional', weight: 10 },
      { name: 'bulk', weight: 1 },
    ],
    podTemplate: {},
    rollout: {},
  });
  const { body: policy } = await call('GET', path('QueuePolicy', 'demo'));
  expect(policy.spec.shaping.default).toEqual({ connections: 10, messagesPerConnection: 100 });
  const { body: addresses } = await call('GET', path('IPPool', 'demo'));
  expect(addresses.spec.placement).toEqual({ nodeSelector: {}, hostNetwork: true });
});

const pool = (spec: object): object => ({ ipPoolRef: { name: 'demo' }, ...spec });
const ip = (address: string, more: object = {}): object => ({ address, ehlo: 'mta1.demo.example', ...more });
const provider = (name: string, more: object = { domains: ['a.example'] }): object => ({
  name,
  limits: {},
  ...more,
});
const warmup = (...steps: readonly (readonly [number, number?])[]): object => ({
  addresses: [ip('192.0.2.1')],
  warmup: { schedules: { google: steps.map(([day, perDay]) => (perDay ? { day, perDay } : { day })) } },
});

interface Bad {
  readonly what: string;
  readonly kind: Kind;
  readonly old?: object;
  readonly spec: object;
  /** What the API server's message must say. */
  readonly says: readonly string[];
}
const domain = (spec: object): object => ({ domain: 'a.example', poolRef: { name: 'demo' }, ...spec });

const bad: readonly Bad[] = [
  {
    what: 'an unknown drain mode',
    kind: 'SendingPool',
    spec: pool({ drain: { mode: 'Explode' } }),
    says: ['spec.drain.mode', 'Explode', '"Transfer", "Wait"'],
  },
  { what: 'no IPPool', kind: 'SendingPool', spec: {}, says: ['spec.ipPoolRef', 'Required'] },
  {
    what: 'a negative number of replicas',
    kind: 'SendingPool',
    spec: pool({ replicas: -1 }),
    says: ['spec.replicas', '-1', 'greater than or equal to 0'],
  },
  {
    what: 'more replicas than shards',
    kind: 'SendingPool',
    spec: pool({ replicas: 9, shards: 8 }),
    says: ['spec.replicas', 'shards must be at least replicas', '8 shards, 9 replicas'],
  },
  {
    what: 'fewer pods at most than at least',
    kind: 'SendingPool',
    spec: pool({ autoscaling: { min: 4, max: 3 } }),
    says: ['spec.autoscaling', 'must not be above', 'min 4, max 3'],
  },
  {
    what: 'more pods by autoscaling than shards',
    kind: 'SendingPool',
    spec: pool({ shards: 8, autoscaling: { max: 9 } }),
    says: ['spec.autoscaling', 'shards must be at least autoscaling.max', '8 shards, max 9'],
  },
  {
    what: 'autoscaling without an upper bound',
    kind: 'SendingPool',
    spec: pool({ autoscaling: { min: 2 } }),
    says: ['spec.autoscaling.max', 'Required'],
  },
  {
    what: 'autoscaling to zero',
    kind: 'SendingPool',
    spec: pool({ autoscaling: { min: 0, max: 3 } }),
    says: ['spec.autoscaling.min', 'greater than or equal to 1'],
  },
  {
    what: 'a stabilization window of more than an hour',
    kind: 'SendingPool',
    spec: pool({ autoscaling: { max: 3, stabilizationSeconds: { down: 3601 } } }),
    says: ['spec.autoscaling.stabilizationSeconds.down', 'less than or equal to 3600'],
  },
  {
    what: 'a target of nothing',
    kind: 'SendingPool',
    spec: pool({ autoscaling: { max: 3, target: { readyPerPod: 0 } } }),
    says: ['spec.autoscaling.target.readyPerPod', 'greater than or equal to 1'],
  },
  {
    what: 'shrinking shards',
    kind: 'SendingPool',
    old: pool({ shards: 8 }),
    spec: pool({ shards: 7 }),
    says: ['spec.shards', 'never shrink', '8 to 7'],
  },
  {
    what: 'replicas to 0',
    kind: 'SendingPool',
    old: pool({ replicas: 2 }),
    spec: pool({ replicas: 0 }),
    says: ['spec.replicas', 'cannot be lowered to 0', '2 to 0', 'deletionPolicy: Drain'],
  },
  {
    what: 'a class twice',
    kind: 'SendingPool',
    spec: pool({
      classes: [
        { name: 'bulk', weight: 1 },
        { name: 'bulk', weight: 2 },
      ],
    }),
    says: ['spec.classes', 'only once', 'bulk'],
  },
  {
    what: 'the class of transfers',
    kind: 'SendingPool',
    spec: pool({ classes: [{ name: 'transfer', weight: 1 }] }),
    says: ['spec.classes', 'is kept for', 'transfer'],
  },
  {
    what: 'a volume that shrinks',
    kind: 'SendingPool',
    old: pool({ storage: { size: '1Gi' } }),
    spec: pool({ storage: { size: '1023Mi' } }),
    says: ['spec.storage.size', 'never shrink', '1Gi to 1023Mi'],
  },
  {
    what: 'another storage class',
    kind: 'SendingPool',
    old: pool({}),
    spec: pool({ storage: { storageClassName: 'fast' } }),
    says: ['spec.storage', 'cannot be changed', 'fast'],
  },
  {
    what: 'too many labels',
    kind: 'SendingPool',
    spec: pool({
      podTemplate: { labels: Object.fromEntries(Array.from({ length: 33 }, (_, n) => [`l${n}`, 'x'])) },
    }),
    says: ['spec.podTemplate.labels', '32'],
  },
  { what: 'no address', kind: 'IPPool', spec: { addresses: [] }, says: ['spec.addresses'] },
  {
    what: 'something that is no address',
    kind: 'IPPool',
    spec: { addresses: [ip('192.0.2.1'), ip('192.0.2.256')] },
    says: ['spec.addresses', 'must be a unicast IPv4 or IPv6 address', '192.0.2.256'],
  },
  ...[
    '127.0.0.1',
    '0.0.0.0',
    '224.0.0.5',
    '::1',
    'fe80::1',
    '2001:DB8::1',
    '2001:db8:0::1',
    '::ffff:192.0.2.1',
  ].map(
    (address): Bad => ({
      what: `the address ${address}`,
      kind: 'IPPool',
      spec: { addresses: [ip(address)] },
      says: ['spec.addresses', 'must be a unicast', address],
    }),
  ),
  {
    what: 'a bad bind address',
    kind: 'IPPool',
    spec: { addresses: [ip('192.0.2.1', { bindAddress: 'eth0' })] },
    says: ['bindAddress must be', 'eth0'],
  },
  {
    what: 'an address twice',
    kind: 'IPPool',
    spec: { addresses: [ip('192.0.2.1'), ip('192.0.2.2'), ip('192.0.2.2')] },
    says: ['spec.addresses', 'only once', '192.0.2.2'],
  },
  {
    what: 'a movable address of a node',
    kind: 'IPPool',
    spec: { addresses: [ip('192.0.2.1', { movable: true, node: 'a' })] },
    says: ['spec.addresses', 'belongs to no node', '192.0.2.1'],
  },
  {
    what: 'a segment that is none',
    kind: 'IPPool',
    spec: { addresses: [ip('192.0.2.1')], placement: { segment: '192.0.2.0/33' } },
    says: ['placement.segment', '192.0.2.0/33'],
  },
  {
    what: "an interface without the host's network",
    kind: 'IPPool',
    spec: { addresses: [ip('192.0.2.1')], placement: { interface: 'eth0', hostNetwork: false } },
    says: ['placement', "host's network"],
  },
  {
    what: 'no address per node',
    kind: 'IPPool',
    spec: { addresses: [ip('192.0.2.1')], placement: { maxAddressesPerNode: 0 } },
    says: ['placement.maxAddressesPerNode', '1'],
  },
  {
    what: 'a warm-up without day 1',
    kind: 'IPPool',
    spec: warmup([2, 100]),
    says: ['warmup.schedules', 'day 1', 'google'],
  },
  {
    what: 'a warm-up with a day twice',
    kind: 'IPPool',
    spec: warmup([1, 100], [1, 200]),
    says: ['warmup.schedules', 'each day only once', 'google'],
  },
  {
    what: 'a warm-up that goes down',
    kind: 'IPPool',
    spec: warmup([1, 100], [2, 200], [3, 199]),
    says: ['warmup.schedules', 'must not go down', 'google'],
  },
  {
    what: 'a warm-up without a limit in the middle',
    kind: 'IPPool',
    spec: warmup([1, 100], [2], [3, 300]),
    says: ['warmup.schedules', 'must not go down', 'google'],
  },
  {
    what: 'a threshold to hold above the one to step back',
    kind: 'IPPool',
    spec: {
      addresses: [ip('192.0.2.1')],
      warmup: { thresholds: { bounced: { hold: 0.5, stepBack: 0.25 } } },
    },
    says: ['warmup.thresholds.bounced', 'hold must not be above stepBack', '0.5'],
  },
  {
    what: 'a ledger that is forgotten at once',
    kind: 'IPPool',
    spec: { addresses: [ip('192.0.2.1')], warmup: { keepLedgerDays: 1 } },
    says: ['spec.warmup.keepLedgerDays', 'greater than or equal to 30'],
  },
  {
    what: 'an address that is warmed and has begun some day',
    kind: 'IPPool',
    spec: { addresses: [ip('192.0.2.1', { warmed: true, startedOn: '2026-01-31' })] },
    says: ['spec.addresses', 'either warmed', '192.0.2.1'],
  },
  {
    what: 'a start that is no day of the calendar',
    kind: 'IPPool',
    spec: { addresses: [ip('192.0.2.1', { startedOn: '2026-02-30' })] },
    says: ['spec.addresses', '2026-02-30'],
  },
  {
    what: 'a dedicated address that stands twice',
    kind: 'SendingDomain',
    spec: domain({ addresses: ['192.0.2.1', '192.0.2.2', '192.0.2.1'] }),
    says: ['spec.addresses', 'only once', '192.0.2.1'],
  },
  {
    what: 'a negative limit',
    kind: 'QueuePolicy',
    spec: { shaping: { default: { connections: -5 } } },
    says: ['spec.shaping.default.connections', '-5'],
  },
  {
    what: 'a limit of no connection',
    kind: 'QueuePolicy',
    spec: { shaping: { default: { connections: 0 } } },
    says: ['spec.shaping.default.connections', '0'],
  },
  {
    what: 'a limit of no message in a connection',
    kind: 'QueuePolicy',
    spec: { shaping: { default: { messagesPerConnection: 0 } } },
    says: ['spec.shaping.default.messagesPerConnection', '0'],
  },
  {
    what: 'a limit of no message in a minute',
    kind: 'QueuePolicy',
    spec: { shaping: { default: { perMinute: 0 } } },
    says: ['spec.shaping.default.perMinute', '0'],
  },
  {
    what: 'an interval that is no duration',
    kind: 'QueuePolicy',
    spec: { retry: { intervals: ['5w'] } },
    says: ['spec.retry.intervals', '5w'],
  },
  {
    what: 'an interval beyond the maximum age',
    kind: 'QueuePolicy',
    spec: { retry: { intervals: ['5m', '2d'], maxAge: '47h' } },
    says: ['spec.retry.intervals', 'shorter than maxAge', '2d of 47h'],
  },
  {
    what: 'a provider twice',
    kind: 'QueuePolicy',
    spec: { shaping: { providers: [provider('google'), provider('google')] } },
    says: ['spec.shaping.providers', 'only once', 'google'],
  },
  {
    what: 'a provider that matches nothing',
    kind: 'QueuePolicy',
    spec: { shaping: { providers: [provider('google', {})] } },
    says: ['spec.shaping.providers', 'match nothing', 'google'],
  },
  {
    what: 'another domain',
    kind: 'SendingDomain',
    old: domain({}),
    spec: domain({ domain: 'b.example' }),
    says: ['spec.domain', 'immutable', 'a.example to b.example'],
  },
  {
    what: 'something that is no domain',
    kind: 'SendingDomain',
    spec: domain({ domain: 'not a domain' }),
    says: ['spec.domain', 'not a domain'],
  },
  {
    what: 'a selector twice',
    kind: 'SendingDomain',
    spec: domain({ dkim: [{ selector: 'pf1' }, { selector: 'pf1', algorithm: 'Ed25519' }] }),
    says: ['spec.dkim', 'only once', 'pf1'],
  },
];

const validators: Readonly<Record<Kind, (spec: unknown, old?: never) => Validated<unknown>>> = {
  SendingPool: validateSendingPool,
  IPPool: validateIPPool,
  QueuePolicy: validateQueuePolicy,
  SendingDomain: validateSendingDomain,
};

test.each(bad.map((one, index) => [one.what, { ...one, name: `bad-${index}` }] as const))(
  '%s is refused by the API server, and by reconcile',
  async (_, { kind, old, spec, says, name }) => {
    const before = old && (await call('POST', path(kind), resource(kind, name, old)));
    expect(before?.status ?? 201).toBe(201);
    const answer = old
      ? await call('PATCH', path(kind, name), { spec }, MERGE)
      : await call('POST', path(kind), resource(kind, name, spec));
    expect(answer.status).toBe(422);
    for (const part of says) expect(answer.body.message).toContain(part);

    const oldSpec = old && validators[kind](old);
    const verdict = validators[kind](spec, (oldSpec?.valid ? oldSpec.spec : undefined) as never);
    if (verdict.valid) throw new Error('reconcile takes it');
    const rule = answer.body.message.includes(verdict.errors[0]?.message);
    // A rule (not the schema) must say the same sentence in both.
    const isRule = definitions.some(({ rules }) =>
      rules.some((one) => answer.body.message.includes(one.message)),
    );
    expect(rule).toBe(isRule);
  },
);

test.each(['a.b', 'x'.repeat(41)])('a SendingPool cannot be named %s', async (name) => {
  const answer = await call('POST', path('SendingPool'), resource('SendingPool', name, pool({})));
  expect(answer.status).toBe(422);
  expect(answer.body.message).toContain('at most 40 characters');
});

test('a misspelt field is refused under strict validation', async () => {
  const typo = resource('SendingPool', 'typo', pool({ shard: 4 }));
  const answer = await call('POST', `${path('SendingPool')}?fieldValidation=Strict`, typo);
  expect([answer.status, answer.body.message]).toEqual([
    400,
    expect.stringContaining('unknown field "spec.shard"'),
  ]);
});

test('the scale subresource scales, keeps the rules, and reports the selector', async () => {
  await call('POST', path('SendingPool'), resource('SendingPool', 'scaled', pool({ replicas: 2 })));
  const status = { replicas: 2, selector: 'postfleet.io/pool=scaled', conditions: [], members: [] };
  await call('PATCH', path('SendingPool', 'scaled/status'), { status }, MERGE);
  const up = await call('PATCH', path('SendingPool', 'scaled/scale'), { spec: { replicas: 4 } }, MERGE);
  expect([up.status, up.body.spec, up.body.status]).toEqual([
    200,
    { replicas: 4 },
    { replicas: 2, selector: 'postfleet.io/pool=scaled' },
  ]);
  const beyond = await call('PATCH', path('SendingPool', 'scaled/scale'), { spec: { replicas: 9 } }, MERGE);
  expect([beyond.status, beyond.body.message]).toEqual([
    422,
    expect.stringContaining('8 shards, 9 replicas'),
  ]);
  const zero = await call('PATCH', path('SendingPool', 'scaled/scale'), { spec: { replicas: 0 } }, MERGE);
  expect([zero.status, zero.body.message]).toEqual([422, expect.stringContaining('4 to 0')]);
});

test('status is written apart from spec, and conditions are keyed by type', async () => {
  await call('POST', path('QueuePolicy'), resource('QueuePolicy', 'status', {}));
  const condition = {
    type: 'Ready',
    status: 'False',
    reason: 'InvalidSpec',
    message: 'no',
    lastTransitionTime: '2026-01-01T00:00:00Z',
  };
  const twice = { status: { conditions: [condition, condition] } };
  const refused = await call('PATCH', path('QueuePolicy', 'status/status'), twice, MERGE);
  expect([refused.status, refused.body.message]).toEqual([422, expect.stringContaining('Duplicate value')]);
  const body = {
    status: { conditions: [condition], usedBy: ['a', 'b'], pools: 'a, b' },
    spec: { tls: 'None' },
  };
  const written = await call('PATCH', path('QueuePolicy', 'status/status'), body, MERGE);
  expect(written.body.spec.tls).toBe('Opportunistic');
  const table = await call('GET', path('QueuePolicy', 'status'), undefined, {
    Accept: 'application/json;as=Table;v=v1;g=meta.k8s.io',
  });
  expect(table.body.columnDefinitions.map((column: { name: string }) => column.name)).toEqual([
    'Name',
    'Ready',
    'Reason',
    'Used by',
    'Age',
    'Message',
  ]);
  expect(table.body.rows[0].cells.slice(0, 4)).toEqual(['status', 'False', 'InvalidSpec', 'a, b']);
});
