// The runtime and the authority against a real API server: lists, watches, server-side apply, scale, leases, events, and a
// pod's way from a bound token to a certificate.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import { type ApiServer, startApiServer } from '../../e2e/rig/apiserver.ts';
import { validityOf } from '../../process/identity/credentials.ts';
import { ensureIdentity } from '../../process/identity/ensure.ts';
import { obtainCredentials } from '../../process/identity/exchange.ts';
import { connectByKubeConfig } from '../runtime/connection.ts';
import { Controller } from '../runtime/controller.ts';
import { Elector, type Lease } from '../runtime/elector.ts';
import { ApiError } from '../runtime/errors.ts';
import { EventRecorder } from '../runtime/events.ts';
import { type AnyObject, type KubeObject, TYPES } from '../runtime/objects.ts';
import { Reflector } from '../runtime/reflector.ts';
import { KubeApi } from '../runtime/transport.ts';
import { publishAuthority } from './keeper.ts';
import { serveIdentity } from './serve.ts';
import { loadAuthority } from './store.ts';

let apiServer: ApiServer;
let api: KubeApi;
const namespace = 'mail';
beforeAll(async () => {
  apiServer = await startApiServer();
  const config = new KubeConfig();
  config.loadFromFile(apiServer.kubeconfigPath);
  api = new KubeApi(connectByKubeConfig(config));
  for (const name of [namespace, 'egress'])
    await api.create(TYPES.namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
}, 120_000);
afterAll(async () => {
  await api.close();
  await apiServer.stop();
});

const configMap = (name: string, data: Record<string, string>) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { namespace, name, labels: { test: 'yes' } },
  data,
});

it('applies, watches and reconciles', async () => {
  const reflector = new Reflector<AnyObject>({
    api,
    type: TYPES.configMaps,
    namespace,
    labelSelector: 'test=yes',
  });
  const reconciled: string[] = [];
  const waiting = new Map<string, () => void>();
  const until = (key: string) =>
    reconciled.includes(key) ? Promise.resolve() : new Promise<void>((resolve) => waiting.set(key, resolve));
  const controller = new Controller({
    name: 'integration',
    reconcile: async (key) => {
      const kept = reflector.cache.get(key);
      const entry = `${key} ${kept ? JSON.stringify(kept.data) : 'gone'}`;
      reconciled.push(entry);
      waiting.get(entry)?.();
      return undefined;
    },
  }).owns(reflector);
  await api.apply(TYPES.configMaps, configMap('before', { a: '1' }));
  reflector.start();
  await reflector.whenSynced();
  controller.start();
  await until('mail/before {"a":"1"}');
  const made = await api.apply<AnyObject>(TYPES.configMaps, configMap('later', { b: '1' }));
  await until('mail/later {"b":"1"}');
  expect(reflector.hasSeen(made.metadata.resourceVersion ?? '')).toBe(true);
  const ref = { namespace, name: 'later' };
  await api.delete(TYPES.configMaps, ref, {
    uid: made.metadata.uid,
    resourceVersion: made.metadata.resourceVersion,
  });
  await until('mail/later gone');
  await controller.stop();
  await reflector.stop();
});

it('refuses a delete of another incarnation and a write on an old version', async () => {
  const made = await api.apply<AnyObject>(TYPES.configMaps, configMap('fenced', { a: '1' }));
  const wrong = await api
    .delete(TYPES.configMaps, made.metadata, { uid: 'another' })
    .catch((error: unknown) => error);
  expect(ApiError.isConflict(wrong)).toBe(true);
  await api.patch(TYPES.configMaps, made.metadata, { kind: 'merge', body: { data: { a: '2' } } });
  const late = await api.update(TYPES.configMaps, made).catch((error: unknown) => error);
  expect(ApiError.isConflict(late)).toBe(true);
});

it('scales a StatefulSet only as the one it was read as', async () => {
  const labels = { app: 'x' };
  const template = { metadata: { labels }, spec: { containers: [{ name: 'x', image: 'x' }] } };
  const set = await api.create(TYPES.statefulSets, {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { namespace, name: 'pods' },
    spec: { replicas: 3, serviceName: 'x', selector: { matchLabels: labels }, template },
  });
  const { uid = '', resourceVersion = '' } = set.metadata as AnyObject['metadata'];
  const at = { namespace, name: 'pods', resourceVersion };
  const other = await api
    .scale(TYPES.statefulSets, { ...at, uid: 'another' }, 2)
    .catch((error: unknown) => error);
  expect(ApiError.isConflict(other)).toBe(true);
  expect((await api.scale(TYPES.statefulSets, { ...at, uid }, 2)).spec.replicas).toBe(2);
  const stale = await api.scale(TYPES.statefulSets, { ...at, uid }, 1).catch((error: unknown) => error);
  expect(ApiError.isConflict(stale)).toBe(true);
  expect((await api.getScale(TYPES.statefulSets, at)).spec.replicas).toBe(2);
});

it('elects by a Lease that the API server accepts, and gives it up', async () => {
  const first = Promise.withResolvers<void>();
  const elector = new Elector({
    api,
    namespace,
    name: 'operator',
    identity: 'a',
    onChange: () => first.resolve(),
  });
  elector.start();
  await first.promise;
  expect(elector.isLeader).toBe(true);
  await elector.stop();
  const lease = await api.get<Lease>(TYPES.leases, { namespace, name: 'operator' });
  expect(lease.spec).toMatchObject({ holderIdentity: '', leaseTransitions: 0 });
  const second = Promise.withResolvers<void>();
  const next = new Elector({
    api,
    namespace,
    name: 'operator',
    identity: 'b',
    onChange: () => second.resolve(),
  });
  next.start();
  await second.promise;
  await next.stop();
});

it('writes events that the API server accepts, as a series when they repeat', async () => {
  const recorder = new EventRecorder({ api, controller: 'postfleet.io/operator', instance: 'op-1' });
  const about = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace, name: 'before', uid: 'u' } };
  for (let i = 0; i < 3; i++)
    recorder.record(about, {
      type: 'Warning',
      reason: 'NoRoom',
      action: 'Drain',
      note: 'the others have no room',
    });
  await recorder.flush();
  const { items } = await api.list<AnyObject>(TYPES.events, { namespace });
  expect(items).toHaveLength(1);
  expect(items[0]).toMatchObject({ reason: 'NoRoom', note: 'the others have no room', series: { count: 3 } });
});

it('gives a pod a certificate for its bound token, and nobody else', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'postfleet-authority-'));
  const authority = await loadAuthority(api, namespace);
  expect((await loadAuthority(api, namespace)).ca).toBe(authority.ca);
  await publishAuthority({ api, authority, namespace, otherNamespaces: ['egress'] });
  const published = await api.get<KubeObject & { data: Record<string, string> }>(TYPES.configMaps, {
    namespace: 'egress',
    name: 'postfleet-ca',
  });
  const pod = await makePod();
  const served = await serveIdentity({
    api,
    authority,
    allowed: (_, where) => where === namespace,
    port: 0,
    credentials: await authority.issueLocal({
      namespace,
      role: 'operator',
      pool: null,
      pod: 'op',
      uid: 'op',
    }),
  });
  const settings = {
    POSTFLEET_POD_UID: pod.metadata.uid ?? '',
    POSTFLEET_IDENTITY_DIR: join(folder, 'own'),
    POSTFLEET_IDENTITY_URL: `https://localhost:${served.port}/v1/identity`,
    POSTFLEET_IDENTITY_TOKEN_FILE: join(folder, 'token'),
    POSTFLEET_IDENTITY_CA_FILE: join(folder, 'ca.crt'),
  };
  await writeFile(settings.POSTFLEET_IDENTITY_CA_FILE, published.data['ca.crt'] ?? '');
  await writeFile(settings.POSTFLEET_IDENTITY_TOKEN_FILE, await tokenOf(pod, 'postfleet.io'));
  const identity = await ensureIdentity(settings);
  expect(validityOf(identity.credentials).identity).toEqual({
    namespace,
    role: 'delivery',
    pool: 'demo',
    pod: 'demo-delivery-0',
    uid: pod.metadata.uid,
  });
  identity.stop();

  const asked = {
    url: settings.POSTFLEET_IDENTITY_URL,
    tokenFile: settings.POSTFLEET_IDENTITY_TOKEN_FILE,
    caFile: settings.POSTFLEET_IDENTITY_CA_FILE,
  };
  await writeFile(asked.tokenFile, await tokenOf(pod, 'https://kubernetes.default.svc'));
  await expect(obtainCredentials(asked)).rejects.toThrow(/401.*TokenRefused/);
  await writeFile(asked.tokenFile, await tokenOf(pod, 'postfleet.io'));
  await api.delete(TYPES.pods, pod.metadata, { uid: pod.metadata.uid, gracePeriodSeconds: 0 });
  await expect(obtainCredentials(asked)).rejects.toThrow(/401|403/);
  await served.close();
  await rm(folder, { recursive: true });
});

async function makePod(): Promise<AnyObject> {
  await api.create(TYPES.serviceAccounts, {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { namespace, name: 'postfleet-delivery' },
  });
  const labels = { 'postfleet.io/pool': 'demo' };
  return api.create<AnyObject>(TYPES.pods, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace, name: 'demo-delivery-0', labels },
    spec: { serviceAccountName: 'postfleet-delivery', containers: [{ name: 'x', image: 'x' }] },
  });
}

async function tokenOf({ metadata }: AnyObject, audience: string): Promise<string> {
  const boundObjectRef = { apiVersion: 'v1', kind: 'Pod', name: metadata.name, uid: metadata.uid };
  const request = {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    metadata: { namespace, name: 'postfleet-delivery' },
    spec: { audiences: [audience], boundObjectRef },
  };
  const made = await api.create<AnyObject>(TYPES.serviceAccounts, request, 'token');
  return (made.status as { token: string }).token;
}
