// The last step of a drain against a real API server. What was decided on says throughout that the pod may leave; what is there when it is
// written says something else. In all cases but the first replicas must stand.
import { readdir, readFile } from 'node:fs/promises';
import { KubeConfig } from '@kubernetes/client-node';
import { parse } from 'yaml';
import { type ApiServer, startApiServer } from '../../e2e/rig/apiserver.ts';
import { until } from '../../e2e/rig/servers.ts';
import type { Assignment, Statement } from '../../mta/bus/snapshot.ts';
import { API_VERSION } from '../../resources/kinds.ts';
import { type DrainVerdict, decideDrain } from '../decide/drain.ts';
import { obedientStatement, worldOf } from '../decide/scripted-world.ts';
import { PROVEN_EMPTY_ANNOTATION, USED_ANNOTATION } from '../desired/names.ts';
import { KINDS } from '../observe/types.ts';
import { podView, statefulSetView, volumeView } from '../observe/views.ts';
import type { PodView, PoolWorld } from '../observe/world.ts';
import { connectByKubeConfig } from '../runtime/connection.ts';
import { ApiError } from '../runtime/errors.ts';
import { type AnyObject, TYPES } from '../runtime/objects.ts';
import { KubeApi } from '../runtime/transport.ts';
import type { Deps } from './deps.ts';
import { removePod } from './remove-pod.ts';

const NAMESPACE = 'mail';
const SET = 'demo-delivery';
const LAST = `${SET}-1`;
const named = (name: string) => ({ namespace: NAMESPACE, name });
const merge = (body: object) => ({ kind: 'merge', body }) as const;
let server: ApiServer;
let api: KubeApi;

beforeAll(async () => {
  server = await startApiServer();
  const config = new KubeConfig();
  config.loadFromFile(server.kubeconfigPath);
  api = new KubeApi(connectByKubeConfig(config));
  for (const file of (await readdir('crds')).filter((name) => name.endsWith('.yaml')))
    await api.apply(TYPES.customResourceDefinitions, parse(await readFile(`crds/${file}`, 'utf8')));
  await api.apply(TYPES.namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } });
  const served = () => api.list(KINDS.SendingPool, { namespace: NAMESPACE });
  await until('the CRD is served', () =>
    served().then(
      () => true,
      () => false,
    ),
  );
}, 120_000);
afterAll(async () => {
  await api?.close();
  await server?.stop();
}, 30_000);
afterEach(async () => {
  await api.delete(KINDS.SendingPool, named('demo'));
  await api.delete(TYPES.statefulSets, named(SET)).catch(ignoreNotFound);
  for (const ordinal of [0, 1]) {
    await endPod(`${SET}-${ordinal}`).catch(ignoreNotFound);
    const claim = named(`spool-${SET}-${ordinal}`);
    // Nobody is here to take off the finalizer that protects claims in use.
    await api.patch(TYPES.persistentVolumeClaims, claim, merge({ metadata: { finalizers: null } }));
    await api.delete(TYPES.persistentVolumeClaims, claim).catch(ignoreNotFound);
  }
}, 30_000);

const ignoreNotFound = (error: unknown) => {
  if (!ApiError.isNotFound(error)) throw error;
};

const wish = (replicas: number) =>
  api.apply(
    KINDS.SendingPool,
    {
      apiVersion: API_VERSION,
      kind: 'SendingPool',
      metadata: named('demo'),
      spec: { replicas, ipPoolRef: { name: 'main' } },
    } as AnyObject,
    'test',
  );

const endPod = (name: string) => api.delete(TYPES.pods, named(name), { gracePeriodSeconds: 0 });

async function beginPod(name: string): Promise<PodView> {
  const spec = { nodeName: 'node-a', containers: [{ name: 'delivery', image: 'none' }] };
  await api.create(TYPES.pods, { metadata: named(name), spec } as unknown as AnyObject);
  const status = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] };
  return podView(await api.patchStatus(TYPES.pods, named(name), merge({ status })));
}

async function beginSet(): Promise<AnyObject> {
  const labels = { app: 'demo' };
  const template = { metadata: { labels }, spec: { containers: [{ name: 'delivery', image: 'none' }] } };
  const spec = { replicas: 2, serviceName: SET, selector: { matchLabels: labels }, template };
  await api.create(TYPES.statefulSets, { metadata: named(SET), spec } as unknown as AnyObject);
  const status = { observedGeneration: 1, replicas: 2, currentRevision: 'r1', updateRevision: 'r1' };
  return api.patchStatus(TYPES.statefulSets, named(SET), merge({ status }));
}

async function beginClaim(ordinal: number): Promise<AnyObject> {
  const metadata = {
    ...named(`spool-${SET}-${ordinal}`),
    annotations: { [USED_ANNOTATION]: '2026-01-01T00:00:00Z' },
  };
  const spec = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } };
  return api.create(TYPES.persistentVolumeClaims, { metadata, spec } as unknown as AnyObject);
}

const replicas = async () =>
  ((await api.get(TYPES.statefulSets, named(SET))).spec as { replicas: number }).replicas;
const isMarked = async () =>
  (await api.get(TYPES.persistentVolumeClaims, named(`spool-${LAST}`))).metadata.annotations?.[
    PROVEN_EMPTY_ANNOTATION
  ] !== undefined;

/** Two pods, of which the second is drained: the picture on which its removal is decided. */
async function drained() {
  await wish(1);
  const set = await beginSet();
  const pods = [await beginPod(`${SET}-0`), await beginPod(LAST)];
  const claims = [await beginClaim(0), await beginClaim(1)];
  const member = ({ name, uid }: PodView, cordoned: boolean) => ({
    ...{ pod: name, uid, cordoned, handOver: false },
  });
  const [first, last] = pods as [PodView, PodView];
  const owner = { pod: first.name, uid: first.uid, node: 'node-a' };
  const shard = { epoch: 2, owner, releasing: false, former: null };
  const assignment: Assignment = {
    ...{ version: 1, pool: 'mail/demo', revision: 7 },
    members: [member(first, false), member(last, true)],
    shards: [0, 1].map((n) => ({ ...shard, shard: n })),
  };
  const readings = new Map(
    pods.map((pod) => [
      pod.uid,
      { kind: 'statement' as const, statement: obedientStatement(pod, assignment) },
    ]),
  );
  const seen: PoolWorld = {
    ...worldOf(2, { desiredReplicas: 1, shards: 2 }),
    ...{ statefulSet: statefulSetView(set), pods, volumes: claims.map(volumeView), assignment, readings },
  };
  const verdict = decideDrain(seen) as Extract<DrainVerdict, { kind: 'Leave' }>;
  expect(verdict).toMatchObject({ pod: LAST, uid: last.uid, remove: true });
  return { seen, verdict, assignment, last };
}

type Drained = Awaited<ReturnType<typeof drained>>;
type Change = Partial<Omit<Statement, 'spool'>> & { readonly spool?: Partial<Statement['spool']> };

/** Carries the removal out. @param between what happens once the live objects have been read, and before the pod answers */
async function remove(
  { seen, verdict, assignment }: Drained,
  { change = {}, between = async () => {}, now = assignment }: Live = {},
) {
  const ask: Deps['ask'] = async (pod) => {
    await between();
    return { kind: 'statement', statement: obedientStatement(pod, assignment, change) };
  };
  const deps = { api, ask, now: Date.now } as unknown as Deps;
  return removePod(deps, seen, verdict, async () => now);
}

interface Live {
  readonly change?: Change;
  readonly between?: () => Promise<unknown>;
  readonly now?: Assignment | null;
}

describe('rule 5: before replicas are lowered, everything is read again live', () => {
  test('it is as it was seen: the volume is marked, and replicas are lowered by one', async () => {
    const world = await drained();
    expect(await remove(world)).toBeNull();
    expect([await replicas(), await isMarked()]).toEqual([1, true]);
  });

  test.each<[string, string, (world: Drained) => Promise<Live | undefined>]>([
    ['scaled up again', 'WrongUid', async () => void (await wish(2))],
    [
      'the pod was replaced',
      'WrongUid',
      async () => {
        await endPod(LAST);
        await beginPod(LAST);
        return undefined;
      },
    ],
    ['the pod is gone', 'WrongUid', async () => void (await endPod(LAST))],
    ['its spool has filled', 'NotEmpty', async () => ({ change: { spool: { entries: 3 } } })],
    ['another process answers', 'WrongUid', async () => ({ change: { uid: 'another' } })],
    ['it has an attempt under way', 'InFlight', async () => ({ change: { inFlight: 1 } })],
    [
      'it was given a shard',
      'OldRevision',
      async ({ assignment }) => ({ now: { ...assignment, revision: 8 } }),
    ],
    ['the assignment is lost', 'NotAssigned', async () => ({ now: null })],
    [
      'a rollout has begun',
      'RolloutUnderWay',
      async () => {
        const status = { updateRevision: 'r2' };
        await api.patchStatus(TYPES.statefulSets, named(SET), merge({ status }));
        return undefined;
      },
    ],
    [
      'replicas were lowered already',
      'WrongUid',
      async () => {
        await api.patch(TYPES.statefulSets, named(SET), merge({ spec: { replicas: 1 } }));
        return undefined;
      },
    ],
  ])('refused, and nothing is written: %s', async (_, reason, happen) => {
    const world = await drained();
    const live = await happen(world);
    const before = await replicas();
    expect((await remove(world, live))?.reason).toBe(reason);
    expect([await replicas(), await isMarked()]).toEqual([before, false]);
  });

  test.each<[string, () => Promise<unknown>]>([
    [
      'somebody wrote the StatefulSet',
      () => api.patch(TYPES.statefulSets, named(SET), merge({ metadata: { labels: { by: 'another' } } })),
    ],
    [
      'the StatefulSet was made anew',
      async () => {
        await api.delete(TYPES.statefulSets, named(SET));
        await beginSet();
      },
    ],
  ])('a conflict, and replicas stand: %s after it was read', async (_, between) => {
    const world = await drained();
    const removal = remove(world, { between });
    expect(await removal.catch(ApiError.isConflict)).toBe(true);
    expect(await replicas()).toBe(2);
  });
});
