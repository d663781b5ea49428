// The CRDs in a real API server: it is the judge of schemas, CEL rules and their cost, and the TypeScript rules must agree with it.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { type ApiServer, startApiServer } from '../e2e/rig/apiserver.ts';
import { type ApiCall, apiCalls, MERGE } from '../e2e/rig/apiserver-client.ts';
import { customResourceDefinition } from './crd.ts';
import { type Definition, definitions } from './definitions.ts';
import { refused } from './refused.fixture.ts';
import { pool } from './sendingpool.fixture.ts';
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

const validators: Readonly<Record<Kind, (spec: unknown, old?: never) => Validated<unknown>>> = {
  SendingPool: validateSendingPool,
  IPPool: validateIPPool,
  QueuePolicy: validateQueuePolicy,
  SendingDomain: validateSendingDomain,
};

const cases = definitions.flatMap(({ kind }) =>
  refused[kind].map((one, at) => [one.what, { ...one, kind, name: `bad-${at}` }] as const),
);
test.each(cases)(
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
