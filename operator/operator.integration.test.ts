import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { KubeConfig } from '@kubernetes/client-node';
import { parse } from 'yaml';
import { type ApiServer, startApiServer } from '../e2e/rig/apiserver.ts';
import { type Nats, startNats, until } from '../e2e/rig/servers.ts';
import {
  assignmentKey,
  domainSnapshotKey,
  FLEET_BUCKET,
  ipPoolSnapshotKey,
  mailStream,
  mailSubject,
  poolKey,
  poolSnapshotKey,
  WARMUP_BUCKET,
  warmupKey,
} from '../mta/bus/names.ts';
import { openKey } from '../mta/bus/seal.ts';
import type { Assignment, DomainSnapshot, IPPoolSnapshot, PoolSnapshot } from '../mta/bus/snapshot.ts';
import { planFor } from '../mta/policy/warmup/plan.ts';
import { beginRecord } from '../mta/policy/warmup/record.ts';
import { Readiness } from '../process/health.ts';
import { API_VERSION, type IPPoolStatus, ipPoolSpec, type SendingPoolStatus } from '../resources/kinds.ts';
import { Applier } from './act/apply.ts';
import type { EventNote } from './act/deps.ts';
import { noFindings } from './act/findings.ts';
import { makeControllers } from './controllers.ts';
import { egressName } from './desired/names.ts';
import { installation } from './desired/samples.ts';
import { linkNats, type NatsLink } from './nats/link.ts';
import { orAbsent } from './observe/pool-world.ts';
import { KINDS, type Kind } from './observe/types.ts';
import { connectByKubeConfig } from './runtime/connection.ts';
import { Manager } from './runtime/manager.ts';
import { type AnyObject, TYPES } from './runtime/objects.ts';
import { KubeApi } from './runtime/transport.ts';
import { StandIn } from './stand-in.ts';
import { cachesOf, makeWatches, reflectorsOf } from './watches.ts';

const NAMESPACE = installation.namespace;
const POOL = poolKey(`${NAMESPACE}/demo`);
const sealingKey = randomBytes(32);
const events: EventNote[] = [];

let server: ApiServer;
let nats: Nats;
let api: KubeApi;
let link: NatsLink;
let manager: Manager;
let world: StandIn;

const named = (name: string) => ({ namespace: NAMESPACE, name });
const apply = (kind: Kind, name: string, spec: object) =>
  api.apply(KINDS[kind], { apiVersion: API_VERSION, kind, metadata: named(name), spec } as AnyObject, 'test');
const store = () => {
  const state = link.state();
  if (state.kind === 'Down') throw new Error(state.obstacle);
  return state.store;
};
const stored = async <T>(key: string): Promise<T | null> => (await store().read<T>(key)).value;
const assignment = () => stored<Assignment>(assignmentKey(POOL));
const poolStatus = async () =>
  ((await api.get(KINDS.SendingPool, named('demo'))).status ?? {}) as Partial<SendingPoolStatus>;
const readyOf = (status: { conditions?: readonly { type: string; status: string; reason: string }[] }) =>
  status.conditions?.find(({ type }) => type === 'Ready');
const generation = async () => (await api.get(KINDS.SendingPool, named('demo'))).metadata.generation;
const replicas = async () =>
  ((await api.get(TYPES.statefulSets, named('demo-delivery'))).spec as { replicas: number }).replicas;

/** Plays the cluster until `check` holds; what it threw last is the failure. */
async function eventually(what: string, check: () => Promise<void>): Promise<void> {
  let last: unknown;
  const holds = async () => {
    await world.play();
    try {
      await check();
      return true;
    } catch (error) {
      last = error;
      return false;
    }
  };
  await until(what, holds, 25_000).catch((error: Error) => {
    throw last ?? error;
  });
}

async function startServers(): Promise<void> {
  [server, nats] = await Promise.all([startApiServer(), startNats()]);
  const config = new KubeConfig();
  config.loadFromFile(server.kubeconfigPath);
  api = new KubeApi(connectByKubeConfig(config));
  for (const file of (await readdir('crds')).filter((name) => name.endsWith('.yaml')))
    await api.apply(TYPES.customResourceDefinitions, parse(await readFile(`crds/${file}`, 'utf8')));
  for (const name of [NAMESPACE, installation.egressNamespace])
    await api.apply(TYPES.namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  await api.create(TYPES.nodes, { metadata: { name: 'node-a' } });
  const status = { conditions: [{ type: 'Ready', status: 'True' }] };
  await api.patchStatus(TYPES.nodes, { name: 'node-a' }, { kind: 'merge', body: { status } });
  await until('the CRDs are served', async () => {
    const lists = Object.values(KINDS).map((kind) => api.list(kind, { namespace: NAMESPACE }));
    return Promise.all(lists).then(
      () => true,
      () => false,
    );
  });
}

async function startControllers(): Promise<void> {
  const watches = await makeWatches(api, installation);
  const controllers = makeControllers(watches, NAMESPACE, (wakers) => ({
    ...wakers,
    api,
    caches: cachesOf(watches),
    applier: new Applier(api, Date.now),
    installation,
    streamProfile: { replicas: 1, shardMaxBytes: 1 << 20 },
    bus: () => link.state(),
    ask: world.ask,
    dns: {
      look: async (wanted) => wanted.map(({ name, type, value }) => ({ name, type, value, seen: 'No' })),
    },
    addressDns: {
      records: async (wanted) =>
        wanted.map((one) => ({ ...one, names: [one.ehlo], addresses: [one.address] })),
      listings: async () => [],
    },
    findings: noFindings(),
    tell: (_, event) => void events.push(event),
    sealingKey,
    now: Date.now,
  }));
  manager = new Manager({ reflectors: reflectorsOf(watches), controllers, readiness: new Readiness() });
  await manager.start();
}

beforeAll(async () => {
  await startServers();
  const env = nats.env;
  link = linkNats(
    {
      POSTFLEET_NATS_URL: [env.POSTFLEET_NATS_URL],
      POSTFLEET_NATS_REPLICAS: 1,
      POSTFLEET_NATS_MONITOR_URL: env.POSTFLEET_NATS_MONITOR_URL,
      POSTFLEET_IDENTITY_DIR: '/nowhere',
    },
    () => {},
  );
  world = new StandIn(api, NAMESPACE, assignment);
  await until('NATS', () => link.state().kind === 'Up');
  await startControllers();
}, 120_000);

afterAll(async () => {
  await manager?.stop();
  await link?.close();
  await api?.close();
  await Promise.all([server?.stop(), nats?.stop()]);
}, 30_000);

test('resources become workloads, streams, snapshot and an assignment, and say that they are ready', async () => {
  await apply('IPPool', 'main', { addresses: [{ address: '192.0.2.1', ehlo: 'm1.example.org' }] });
  await apply('QueuePolicy', 'gentle', { tls: 'Required' });
  await apply('SendingPool', 'demo', {
    replicas: 3,
    ipPoolRef: { name: 'main' },
    queuePolicyRef: { name: 'gentle' },
  });
  await apply('SendingDomain', 'example', { domain: 'example.org', poolRef: { name: 'demo' } });
  await eventually('the pool is ready', async () => {
    expect(readyOf(await poolStatus())).toMatchObject({ status: 'True', reason: 'AsExpected' });
  });
  expect(await poolStatus()).toMatchObject({ replicas: 3, readyReplicas: 3, backlog: 0 });
  const snapshot = await stored<PoolSnapshot>(poolSnapshotKey(POOL));
  expect(snapshot).toMatchObject({
    shards: 8,
    ipPool: 'main',
    policy: { tls: 'Required' },
    intakeClosed: false,
  });
  expect((await stored<IPPoolSnapshot>(ipPoolSnapshotKey(NAMESPACE, 'main')))?.addresses).toHaveLength(1);
  // Pods appear one after the other, and the first may have all shards for a moment.
  await eventually('every pod works shards, and the status says so', async () => {
    const shares = (await poolStatus()).members?.map((member) => member.shards.length);
    expect(shares?.toSorted()).toEqual([2, 3, 3]);
  });
  const { items } = await api.list(TYPES.deployments, { namespace: installation.egressNamespace });
  expect(items.map(({ metadata }) => metadata.name)).toEqual([egressName('main', 'node-a')]);
  const { metadata } = await api.get(TYPES.namespaces, { name: NAMESPACE });
  expect(metadata.labels?.['postfleet.io/holds-mail']).toBe('true');
}, 60_000);

test('a domain gets a key that only the sealing key opens, and the records to publish', async () => {
  await eventually('the domain is reported', async () => {
    const domain = await api.get(KINDS.SendingDomain, named('example'));
    expect(readyOf(domain.status as never)).toMatchObject({ status: 'True' });
    expect((domain.status as { records: { seen: string }[] }).records.map(({ seen }) => seen)).toEqual([
      'No',
      'No',
      'No',
    ]);
  });
  const snapshot = await stored<DomainSnapshot>(domainSnapshotKey('example.org'));
  const secret = await api.get(TYPES.secrets, named('example-dkim-pf1'));
  const pem = Buffer.from((secret.data as Record<string, string>)['private.pem'] ?? '', 'base64').toString();
  expect(openKey(snapshot?.dkim[0]?.sealedKey ?? '', sealingKey)).toBe(pem);
}, 60_000);

test('the status of an address has its warm-up, and a domain can have an address for itself', async () => {
  const { bus } = link.state() as Extract<ReturnType<NatsLink['state']>, { kind: 'Up' }>;
  const address = '192.0.2.77';
  const spec = {
    addresses: [{ address, ehlo: 'm77.example.org' }],
    warmup: { schedules: { google: [{ day: 1, perDay: 50 }] } },
  };
  const plan = planFor(ipPoolSpec.parse(spec), address, 'google');
  if (!plan) throw new Error('no plan');
  const record = { ...beginRecord(address, 'google', Date.now(), plan), used: 7, reserved: 9 };
  await (await bus.kv(WARMUP_BUCKET)).put(warmupKey(address, 'google'), JSON.stringify(record));
  await apply('IPPool', 'young', spec);
  await eventually('the ledger is shown', async () => {
    const { status } = await api.get(KINDS.IPPool, named('young'));
    expect(status).toMatchObject({
      warming: '1/1',
      addresses: [
        {
          address,
          names: 'Confirmed',
          reverse: 'm77.example.org',
          warmup: [{ provider: 'google', day: 1, allowance: 50, used: 7 }],
        },
      ],
    });
  });
  await apply('SendingDomain', 'own', {
    domain: 'own.example',
    poolRef: { name: 'demo' },
    addresses: [address],
  });
  await eventually('the address of another IPPool is refused', async () => {
    const { status } = await api.get(KINDS.SendingDomain, named('own'));
    expect(readyOf(status as never)).toMatchObject({ status: 'False', reason: 'AddressNotInPool' });
  });
  await apply('SendingDomain', 'own', {
    domain: 'own.example',
    poolRef: { name: 'demo' },
    addresses: ['192.0.2.1'],
  });
  await eventually('the IPPool says whose it is', async () => {
    const snapshot = await stored<IPPoolSnapshot>(ipPoolSnapshotKey(NAMESPACE, 'main'));
    expect(snapshot?.dedicated).toEqual({ 'own.example': ['192.0.2.1'] });
  });
  for (const [kind, name] of [
    ['SendingDomain', 'own'],
    ['IPPool', 'young'],
  ] as const)
    await api.delete(KINDS[kind], named(name));
}, 60_000);

test('a status that stands is not written again', async () => {
  const version = async () => (await api.get(KINDS.SendingPool, named('demo'))).metadata.resourceVersion;
  const before = await version();
  await apply('QueuePolicy', 'gentle', { tls: 'Opportunistic' });
  await eventually('the policy arrives', async () => {
    expect((await stored<PoolSnapshot>(poolSnapshotKey(POOL)))?.policy.tls).toBe('Opportunistic');
  });
  expect(await version()).toBe(before);
}, 60_000);

test('what is invalid is told and does not replace what is in force', async () => {
  await apply('SendingPool', 'demo', {
    replicas: 3,
    ipPoolRef: { name: 'gone' },
    queuePolicyRef: { name: 'gentle' },
  });
  await eventually('the problem is told', async () => {
    expect(readyOf(await poolStatus())).toMatchObject({ status: 'False', reason: 'IPPoolNotFound' });
  });
  expect((await stored<PoolSnapshot>(poolSnapshotKey(POOL)))?.ipPool).toBe('main');
  await apply('SendingPool', 'demo', {
    replicas: 3,
    ipPoolRef: { name: 'main' },
    queuePolicyRef: { name: 'gentle' },
  });
  await eventually('it is well again', async () => {
    expect(readyOf(await poolStatus())?.status).toBe('True');
  });
}, 60_000);

test('more space is asked for claim by claim, what stands in the claim template stays, and the pool says how far it is', async () => {
  const spec = { replicas: 3, ipPoolRef: { name: 'main' }, queuePolicyRef: { name: 'gentle' } };
  await apply('SendingPool', 'demo', { ...spec, storage: { size: '20Gi' } });
  await eventually('the size is told', async () => {
    const sized = (await poolStatus()).conditions?.find(({ type }) => type === 'VolumesSized');
    expect(sized).toMatchObject({ status: 'False', observedGeneration: await generation() });
    expect(sized?.message).toContain('20Gi');
    expect(readyOf(await poolStatus())?.status).toBe('True');
  });
  const { spec: set } = await api.get(TYPES.statefulSets, named('demo-delivery'));
  expect(JSON.stringify((set as { volumeClaimTemplates: unknown }).volumeClaimTemplates)).toContain('10Gi');
}, 60_000);

test('a container that restarts keeps its shards until what it had in hand is acknowledged', async () => {
  const state = link.state();
  if (state.kind === 'Down') throw new Error(state.obstacle);
  const shard =
    (await assignment())?.shards.find(({ owner }) => owner?.pod === 'demo-delivery-0')?.shard ?? -1;
  await state.bus.js.publish(mailSubject(POOL, shard, 'bulk'), 'a parcel');
  const consumer = await state.bus.js.consumers.get(mailStream(POOL, shard), 'bulk');
  const inHand = await consumer.next({ expires: 5000 });
  const settling = async () => (await assignment())?.shards.find((one) => one.shard === shard)?.settling;
  world.processes.set('demo-delivery-0', 'second');
  await eventually('the restart is noticed', async () => {
    expect(await settling()).toEqual({ transactional: 0, bulk: inHand?.seq, transfer: 0 });
  });
  expect((await assignment())?.members[0]).toMatchObject({ process: 'second' });
  await inHand?.ackAck();
  await eventually('it has settled', async () => expect(await settling()).toBeUndefined());
}, 60_000);

test('a silent pod does not leave; from 3 to 1 they leave one at a time, each drained', async () => {
  world.silent.add('demo-delivery-2');
  world.spooled.set('demo-delivery-2', 40).set('demo-delivery-1', 7);
  await apply('SendingPool', 'demo', {
    replicas: 1,
    ipPoolRef: { name: 'main' },
    queuePolicyRef: { name: 'gentle' },
    storage: { size: '20Gi' },
  });
  await eventually('the drain is blocked', async () => {
    expect(readyOf(await poolStatus())).toMatchObject({ reason: 'Unreachable' });
  });
  expect(await replicas()).toBe(3);
  world.silent.clear();
  await eventually('one pod is left', async () => {
    const status = await poolStatus();
    expect(readyOf(status)?.status).toBe('True');
    expect(status.members?.map(({ pod }) => pod)).toEqual(['demo-delivery-0']);
  });
  const left = events.filter(({ reason }) => reason === 'ScaledDown').map(({ note }) => note);
  expect(left).toEqual([
    'demo-delivery-2 has left with nothing in it; replicas are now 2',
    'demo-delivery-1 has left with nothing in it; replicas are now 1',
  ]);
  expect(events.filter(({ reason }) => reason === 'HandingOver')).toHaveLength(2);
  const shards = (await assignment())?.shards ?? [];
  expect(new Set(shards.map(({ owner }) => owner?.pod))).toEqual(new Set(['demo-delivery-0']));
  expect(shards.every(({ former }) => former === null || former.stated)).toBe(true);
}, 90_000);

test('one drain in another mode by annotation: what nobody understands moves no mail, Wait delivers, and it is taken off', async () => {
  const spec = { ipPoolRef: { name: 'main' }, queuePolicyRef: { name: 'gentle' }, storage: { size: '20Gi' } };
  const annotation = 'postfleet.io/drain-mode';
  const annotate = (mode: string) =>
    api.patch(KINDS.SendingPool, named('demo'), {
      kind: 'merge',
      body: { metadata: { annotations: { [annotation]: mode } } },
    });
  await apply('SendingPool', 'demo', { ...spec, replicas: 2 });
  await eventually('two pods work shards', async () => {
    expect((await poolStatus()).members?.map(({ shards }) => shards.length)).toEqual([4, 4]);
  });
  events.length = 0;
  world.spooled.set('demo-delivery-1', 3);
  await annotate('wait');
  await apply('SendingPool', 'demo', { ...spec, replicas: 1 });
  await eventually('the fault is told', async () => {
    expect(readyOf(await poolStatus())).toMatchObject({ status: 'False', reason: 'InvalidDrainMode' });
  });
  expect(events.filter(({ reason }) => reason === 'InvalidDrainMode')).toHaveLength(1);
  await annotate('Wait');
  await eventually('it delivers what it has', async () => {
    const { drain } = await poolStatus();
    expect(drain).toMatchObject({ pod: 'demo-delivery-1', step: 'Delivering', left: 3 });
    expect(readyOf(await poolStatus())?.reason).toBe('Draining');
  });
  expect((await assignment())?.members.some(({ handOver }) => handOver)).toBe(false);
  world.spooled.set('demo-delivery-1', 0);
  await eventually('the annotation is off', async () => {
    const { metadata } = await api.get(KINDS.SendingPool, named('demo'));
    expect(metadata.annotations?.[annotation]).toBeUndefined();
    expect(await replicas()).toBe(1);
  });
  expect(events.some(({ reason }) => reason === 'HandingOver')).toBe(false);
}, 90_000);

test('with autoscaling the load decides, and not spec.replicas: 1 to 3 at once, back to 1 by drains', async () => {
  const spec = { ipPoolRef: { name: 'main' }, queuePolicyRef: { name: 'gentle' }, storage: { size: '20Gi' } };
  const autoscaling = {
    ...{ min: 1, max: 3, target: { readyPerPod: 10 } },
    stabilizationSeconds: { down: 0 },
  };
  world.ready.set('demo-delivery-0', 25);
  events.length = 0;
  await apply('SendingPool', 'demo', { ...spec, replicas: 2, autoscaling });
  await eventually('three pods are ready', async () => {
    const status = await poolStatus();
    expect(status).toMatchObject({
      replicas: 3,
      desiredReplicas: 3,
      autoscaling: { replicas: 3, ready: 25 },
    });
    expect(readyOf(status)?.status).toBe('True');
  });
  expect(events.find(({ reason }) => reason === 'ScaledUp')?.note).toBe(
    'from 1 to 3 pods: 25 ready at 10 a pod',
  );
  // Ignored, whoever writes it: a GitOps tool that puts its number back does not fight with the operator.
  await apply('SendingPool', 'demo', { ...spec, replicas: 1, autoscaling });
  await eventually('the change is seen', async () => {
    expect((await poolStatus()).observedGeneration).toBe(await generation());
  });
  expect(await replicas()).toBe(3);
  world.silent.add('demo-delivery-2');
  world.ready.clear();
  await eventually('a silent pod keeps all', async () => {
    expect((await poolStatus()).autoscaling).toMatchObject({ reason: 'LoadUnknown', ready: 0, silent: 1 });
  });
  expect(await replicas()).toBe(3);
  world.silent.clear();
  await eventually('one is left', async () => {
    expect(await poolStatus()).toMatchObject({
      replicas: 1,
      autoscaling: { replicas: 1, reason: 'AtTarget' },
    });
  });
  const told = events.filter(({ reason }) => reason.startsWith('Scal')).map(({ reason }) => reason);
  expect(told).toEqual(['ScaledUp', 'ScalingDown', 'ScaledDown', 'ScalingDown', 'ScaledDown']);
  await apply('SendingPool', 'demo', { ...spec, replicas: 1 });
  await eventually('it is off', async () => {
    expect((await poolStatus()).autoscaling).toBeUndefined();
  });
}, 120_000);
test('a canary that does not get ready, and one that defers more, are taken back to the very template of before', async () => {
  const canary = { pods: 1, duration: '1s', minAttempts: 10, readyWithin: '1s' };
  const wish = (annotations: object, replicas = 3) =>
    apply('SendingPool', 'demo', {
      ...{ replicas, ipPoolRef: { name: 'main' }, queuePolicyRef: { name: 'gentle' } },
      ...{ storage: { size: '20Gi' }, rollout: { canary }, podTemplate: { annotations } },
    });
  const template = async () => {
    const { spec } = await api.get(TYPES.statefulSets, named('demo-delivery'));
    return (spec as { template: { metadata: { annotations: Record<string, string> } } }).template;
  };
  const uids = async () =>
    (await api.list(TYPES.pods, { namespace: NAMESPACE })).items.map(({ metadata }) => metadata.uid);
  const count = (delivered: number, deferred: number) => {
    for (const pod of [0, 1, 2])
      world.results.set(`demo-delivery-${pod}`, { delivered: 0, deferred: 0, bounced: 0 });
    return () => world.results.set('demo-delivery-2', { delivered, deferred, bounced: 0 });
  };
  const state = async () => (await poolStatus()).rollout?.state;
  await wish({});
  await eventually('three pods', async () => {
    expect(await poolStatus()).toMatchObject({ replicas: 3, readyReplicas: 3 });
    expect(readyOf(await poolStatus())?.status).toBe('True');
  });
  events.length = 0;
  const before = await template();
  const first = await uids();
  await wish({ [world.broken]: 'yes' });
  await eventually('it is taken back', async () => {
    expect(await state()).toBe('RolledBack');
    expect(readyOf(await poolStatus())).toMatchObject({ reason: 'RolledBack' });
    expect(await template()).toEqual(before);
    expect((await poolStatus()).readyReplicas).toBe(3);
  });
  expect((await uids()).filter((uid) => first.includes(uid))).toHaveLength(2);

  const worse = count(80, 20);
  await wish({ note: 'worse' });
  await eventually('it is watched', async () => {
    expect((await poolStatus()).rollout).toMatchObject({ state: 'Canary', since: expect.any(String) });
  });
  worse();
  await eventually('it is taken back', async () => {
    expect(await state()).toBe('RolledBack');
    expect(await template()).toEqual(before);
  });

  const well = count(100, 0);
  await wish({ note: 'well' });
  await eventually('it is watched', async () => {
    expect((await poolStatus()).rollout).toMatchObject({ state: 'Canary', since: expect.any(String) });
  });
  well();
  await eventually('all pods have it', async () => {
    expect((await template()).metadata.annotations.note).toBe('well');
    expect(await poolStatus()).not.toHaveProperty('rollout');
    expect(readyOf(await poolStatus())?.status).toBe('True');
  });
  expect((await uids()).filter((uid) => first.includes(uid))).toEqual([]);
  const told = events.map(({ reason }) => reason).filter((reason) => /RolledBack|CanaryPassed/.test(reason));
  expect(told).toEqual(['RolledBack', 'RolledBack', 'CanaryPassed']);
  world.results.clear();
  await wish({ note: 'well' }, 1);
  await eventually('one is left', async () => {
    expect(await poolStatus()).toMatchObject({ replicas: 1, readyReplicas: 1 });
  });
}, 120_000);

test('a pod that comes up on an empty volume is noticed; what was lost is cleared by its number alone', async () => {
  const stranded = async () => (await poolStatus()).stranded;
  const giveUp = async (text: string) => {
    const metadata = { annotations: { 'postfleet.io/give-up-stranded': text } };
    await api.patch(KINDS.SendingPool, named('demo'), { kind: 'merge', body: { metadata } });
  };
  world.spooled.set('demo-delivery-0', 5);
  world.spoolIds.set('demo-delivery-0', 'first');
  await eventually('the spool is known', async () => {
    expect((await poolStatus()).members?.[0]).toMatchObject({ queued: 5, spool: 'first' });
  });
  world.spooled.clear();
  world.spoolIds.set('demo-delivery-0', 'second');
  await eventually('the loss is told', async () => {
    expect(await stranded()).toMatchObject([
      { volume: 'spool-demo-delivery-0', queued: 5, why: 'VolumeLost', spool: 'first' },
    ]);
    expect(readyOf(await poolStatus())).toMatchObject({ status: 'False', reason: 'Stranded' });
  });
  await giveUp('spool-demo-delivery-0=0');
  await eventually('a wrong number is refused', async () => {
    const said = (await poolStatus()).conditions?.find(({ type }) => type === 'MailReachable');
    expect(said).toMatchObject({ reason: 'GiveUpRefused' });
    expect(said?.message).toContain('at stake is "spool-demo-delivery-0=5"');
  });
  await giveUp('spool-demo-delivery-0=5');
  await eventually('it is cleared', async () => {
    expect(await stranded()).toEqual([]);
    expect(readyOf(await poolStatus())?.status).toBe('True');
    const { metadata } = await api.get(KINDS.SendingPool, named('demo'));
    expect(metadata.annotations ?? {}).not.toHaveProperty('postfleet.io/give-up-stranded');
  });
  expect(events.filter(({ reason }) => reason === 'GivenUp').map(({ note }) => note)).toEqual([
    expect.stringContaining('5 recipients on spool-demo-delivery-0'),
  ]);
}, 60_000);

test('mail on a volume without a pod blocks the deletion, says how many, and goes when it is given up', async () => {
  const claim = { namespace: NAMESPACE, name: 'spool-demo-delivery-2' };
  const annotations = { 'postfleet.io/used-since': new Date().toISOString() };
  await api.patch(TYPES.persistentVolumeClaims, claim, {
    kind: 'merge',
    body: { metadata: { annotations } },
  });
  await eventually('it is told', async () => {
    expect((await poolStatus()).stranded).toMatchObject([{ volume: claim.name, why: 'NoPod' }]);
  });
  expect((await poolStatus()).stranded?.[0]).not.toHaveProperty('queued');
  const metadata = { annotations: { 'postfleet.io/give-up-stranded': `${claim.name}=unknown` } };
  await api.patch(KINDS.SendingPool, named('demo'), { kind: 'merge', body: { metadata } });
  await eventually('the claim goes', async () => {
    // No controller here takes the protection off; to be deleted is enough.
    const left = await orAbsent(api.get(TYPES.persistentVolumeClaims, claim));
    expect(left === null || left.metadata.deletionTimestamp !== undefined).toBe(true);
    expect((await poolStatus()).stranded).toEqual([]);
  });
}, 60_000);

test('shards grow while the pool lives: streams are there before ingress hears of them, and what was there stays', async () => {
  const state = link.state();
  if (state.kind === 'Down') throw new Error(state.obstacle);
  const manager = await state.bus.manager();
  const before = (await assignment())?.shards ?? [];
  expect(before).toHaveLength(8);
  const kv = await state.bus.kv(FLEET_BUCKET);
  const missing: string[] = [];
  const watch = await kv.watch({ key: poolSnapshotKey(POOL), include: 'updates' });
  const watched = (async () => {
    for await (const entry of watch) {
      const { shards, classes } = entry.json<PoolSnapshot>();
      for (let shard = 0; shard < shards; shard++)
        for (const { name } of [...classes, { name: 'transfer' }])
          await manager.consumers
            .info(mailStream(POOL, shard), name)
            .catch(() => missing.push(`${shard} ${name}`));
      if (shards === 10) return shards;
    }
    return 0;
  })();
  await apply('SendingPool', 'demo', {
    ...{ replicas: 1, shards: 10, ipPoolRef: { name: 'main' }, queuePolicyRef: { name: 'gentle' } },
    storage: { size: '20Gi' },
  });
  expect(await watched).toBe(10);
  expect(missing).toEqual([]);
  await eventually('the new shards have an owner', async () => {
    const shards = (await assignment())?.shards ?? [];
    expect(shards.map(({ shard, owner }) => [shard, owner?.pod])).toEqual(
      Array.from({ length: 10 }, (_, shard) => [shard, 'demo-delivery-0']),
    );
    expect(shards.slice(0, 8)).toEqual(before);
  });
  await expect(
    apply('SendingPool', 'demo', { replicas: 1, shards: 9, ipPoolRef: { name: 'main' } }),
  ).rejects.toThrow(/never shrink/);
}, 60_000);

test('deleting with deletionPolicy Drain waits for streams and spools, then leaves nothing but the volumes', async () => {
  const state = link.state();
  if (state.kind === 'Down') throw new Error(state.obstacle);
  await state.bus.js.publish(mailSubject(POOL, 3, 'bulk'), 'the last parcel');
  await api.delete(KINDS.SendingPool, named('demo'));
  await eventually('intake is closed', async () => {
    expect((await stored<PoolSnapshot>(poolSnapshotKey(POOL)))?.intakeClosed).toBe(true);
    expect(readyOf(await poolStatus())).toMatchObject({ reason: 'Deleting' });
    expect((await poolStatus()).deletion).toMatchObject({ step: 'Deliver', left: 1 });
  });
  expect(await replicas()).toBe(1);
  const consumer = await state.bus.js.consumers.get(mailStream(POOL, 3), 'bulk');
  await (await consumer.next({ expires: 5000 }))?.ackAck();
  await eventually('the pool is gone', async () => {
    expect(await orAbsent(api.get(KINDS.SendingPool, named('demo')))).toBeNull();
  });
  expect(await orAbsent(api.get(TYPES.statefulSets, named('demo-delivery')))).toBeNull();
  expect(await stored(poolSnapshotKey(POOL))).toBeNull();
  await expect((await state.bus.manager()).streams.info(mailStream(POOL, 3))).rejects.toThrow('not found');
  expect((await api.list(TYPES.persistentVolumeClaims, { namespace: NAMESPACE })).items).toHaveLength(3);
  const { metadata } = await api.get(TYPES.persistentVolumeClaims, named('spool-demo-delivery-0'));
  const marks = Object.keys(metadata.annotations ?? {}).filter((key) => key.startsWith('postfleet.io/'));
  expect(marks).toEqual([]);
}, 90_000);

test('an address goes where it is placed; its pods follow, and the status says what is wrong', async () => {
  const address = (last: number, more: object = {}) => ({
    ...{ address: `192.0.2.${last}`, ehlo: `m${last}.example.org` },
    ...more,
  });
  const deployments = async () =>
    (await api.list(TYPES.deployments, { namespace: installation.egressNamespace })).items
      .map(({ metadata }) => metadata.name)
      .filter((name) => name.startsWith('placed-'));
  const addresses = [
    address(11, { node: 'node-a' }),
    address(12, { node: 'node-z' }),
    address(13, { movable: true }),
  ];
  const placement = { interface: 'eth0', maxAddressesPerNode: 2 };
  await apply('IPPool', 'placed', { addresses, placement });
  await eventually('the placement', async () => {
    const { status } = await api.get(KINDS.IPPool, named('placed'));
    const said = (status as IPPoolStatus | undefined)?.addresses.map(({ node, reason }) => [node, reason]);
    expect(said).toEqual([
      ['node-a', 'WaitingForHolder'],
      [undefined, 'NodeNotFound'],
      ['node-a', 'WaitingForHolder'],
    ]);
    expect(await stored<IPPoolSnapshot>(ipPoolSnapshotKey(NAMESPACE, 'placed'))).toMatchObject({
      placement: { '192.0.2.11': ['node-a'], '192.0.2.12': [], '192.0.2.13': ['node-a'] },
      bringUp: { interface: 'eth0' },
    });
  });
  expect(await deployments()).toEqual([egressName('placed', 'node-a')]);
  // A node comes whose annotation says that it has the address that nobody had.
  const metadata = { name: 'node-z', annotations: { 'postfleet.io/addresses': '192.0.2.12' } };
  await api.create(TYPES.nodes, { metadata });
  const ready = { conditions: [{ type: 'Ready', status: 'True' }] };
  await api.patchStatus(TYPES.nodes, metadata, { kind: 'merge', body: { status: ready } });
  await eventually('the pods to follow', async () => {
    expect((await deployments()).toSorted()).toEqual(
      [egressName('placed', 'node-a'), egressName('placed', 'node-z')].toSorted(),
    );
    const snapshot = await stored<IPPoolSnapshot>(ipPoolSnapshotKey(NAMESPACE, 'placed'));
    expect(snapshot?.placement).toEqual({
      ...{ '192.0.2.11': ['node-a'], '192.0.2.12': ['node-z'] },
      '192.0.2.13': [expect.any(String), expect.any(String)],
    });
  });
  // Another IPPool that wants one of them is refused until the first has let it go (of two of one second the name decides).
  const taken = addresses[0];
  await apply('IPPool', 'want', { addresses: [taken] });
  const reasonOf = async (name: string) =>
    readyOf(((await api.get(KINDS.IPPool, named(name))).status ?? {}) as Partial<IPPoolStatus>)?.reason;
  await eventually('the refusal', async () => expect(await reasonOf('want')).toBe('AddressInTwoPools'));
  expect(await stored(ipPoolSnapshotKey(NAMESPACE, 'want'))).toBeNull();
  expect(await reasonOf('placed')).not.toBe('AddressInTwoPools');
  await apply('IPPool', 'placed', { addresses: addresses.slice(1), placement });
  await eventually('its move', async () => {
    expect(await reasonOf('want')).not.toBe('AddressInTwoPools');
    expect(await stored(ipPoolSnapshotKey(NAMESPACE, 'want'))).toMatchObject({
      placement: { '192.0.2.11': ['node-a'] },
    });
  });
  await api.delete(TYPES.nodes, { name: 'node-z' });
  await api.delete(KINDS.IPPool, named('placed'));
  await api.delete(KINDS.IPPool, named('want'));
  await eventually('its end', async () => expect(await deployments()).toEqual([]));
}, 90_000);

test('deletionPolicy Retain: pods go at once, volumes and streams stay, and a pool of the same name goes on with them', async () => {
  const spec = { ipPoolRef: { name: 'main' }, deletionPolicy: 'Retain', replicas: 1 };
  const made = async () =>
    eventually('the pool is ready', async () => {
      expect(readyOf(await poolStatus())?.status).toBe('True');
    });
  await apply('SendingPool', 'demo', spec);
  await made();
  const state = link.state();
  if (state.kind === 'Down') throw new Error(state.obstacle);
  await state.bus.js.publish(mailSubject(POOL, 2, 'bulk'), 'kept');
  world.spooled.set('demo-delivery-0', 9);
  events.length = 0;
  await api.delete(KINDS.SendingPool, named('demo'));
  await eventually('the pool is gone', async () => {
    expect(await orAbsent(api.get(KINDS.SendingPool, named('demo')))).toBeNull();
    expect(await orAbsent(api.get(TYPES.statefulSets, named('demo-delivery')))).toBeNull();
  });
  expect(events.map(({ reason }) => reason)).toContain('Retained');
  const kept = await (await state.bus.manager()).streams.info(mailStream(POOL, 2));
  expect(kept.state.messages).toBe(1);
  await api.get(TYPES.persistentVolumeClaims, { namespace: NAMESPACE, name: 'spool-demo-delivery-0' });
  await apply('SendingPool', 'demo', spec);
  await made();
  await eventually('what was kept is counted', async () => expect((await poolStatus()).backlog).toBe(10));
  world.spooled.clear();
  await api.delete(KINDS.SendingPool, named('demo'));
  await eventually('the pool is gone again', async () => {
    expect(await orAbsent(api.get(KINDS.SendingPool, named('demo')))).toBeNull();
    expect(await orAbsent(api.get(TYPES.statefulSets, named('demo-delivery')))).toBeNull();
  });
}, 90_000);

test('an IPPool that nothing uses goes with its egress pods; a domain takes its snapshot along', async () => {
  await api.delete(KINDS.IPPool, named('main'));
  await api.delete(KINDS.SendingDomain, named('example'));
  await eventually('all is gone', async () => {
    expect(await orAbsent(api.get(KINDS.IPPool, named('main')))).toBeNull();
    expect((await api.list(TYPES.deployments, { namespace: installation.egressNamespace })).items).toEqual(
      [],
    );
    expect(await stored(ipPoolSnapshotKey(NAMESPACE, 'main'))).toBeNull();
    expect(await stored(domainSnapshotKey('example.org'))).toBeNull();
  });
}, 60_000);
