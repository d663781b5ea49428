import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import { parse } from 'yaml';
import { type ApiServer, startApiServer } from '../e2e/rig/apiserver.ts';
import { Child, freePorts, until } from '../e2e/rig/servers.ts';
import { API_VERSION } from '../resources/kinds.ts';
import { runOperator } from './main.ts';
import { orAbsent } from './observe/pool-world.ts';
import { KINDS } from './observe/types.ts';
import { connectByKubeConfig } from './runtime/connection.ts';
import { type AnyObject, TYPES } from './runtime/objects.ts';
import { KubeApi } from './runtime/transport.ts';

let server: ApiServer;
let api: KubeApi;
let folder: string;
let operator: Child | null = null;
const connect = () => {
  const config = new KubeConfig();
  config.loadFromFile(server.kubeconfigPath);
  return new KubeApi(connectByKubeConfig(config));
};

beforeAll(async () => {
  server = await startApiServer();
  api = connect();
  folder = await mkdtemp(join(tmpdir(), 'postfleet-operator-'));
  for (const name of ['mail', 'mail-egress'])
    await api.apply(TYPES.namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  for (const file of (await readdir('crds')).filter((name) => name.endsWith('.yaml')))
    await api.apply(TYPES.customResourceDefinitions, parse(await readFile(`crds/${file}`, 'utf8')));
}, 90_000);
afterAll(async () => {
  await operator?.stop('SIGKILL');
  await api?.close();
  await server?.stop();
  if (folder) await rm(folder, { recursive: true });
});

test('settings that are missing are all named at once', async () => {
  await expect(runOperator({})).rejects.toThrow(/POSTFLEET_NAMESPACE.*POSTFLEET_NATS_URL.*POSTFLEET_IMAGE/s);
});

const statusOf = (port: number, path: string, ca: string): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    const call = request({
      host: '127.0.0.1',
      port,
      path,
      method: 'POST',
      ca,
      servername: 'localhost',
      agent: false,
    });
    call
      .on('response', (answer) => resolve(answer.resume().statusCode))
      .on('error', reject)
      .end();
  });

test('without NATS it leads, publishes the authority, serves identities, makes pods, and ends in order', async () => {
  const [metrics = 0, identity = 0, nowhere = 0] = await freePorts(3);
  const env = {
    ...process.env,
    KUBECONFIG: server.kubeconfigPath,
    POSTFLEET_NAMESPACE: 'mail',
    POSTFLEET_POD_NAME: 'operator-0',
    POSTFLEET_POD_UID: 'uid-operator-0',
    POSTFLEET_IDENTITY_DIR: folder,
    POSTFLEET_METRICS_PORT: String(metrics),
    POSTFLEET_IDENTITY_PORT: String(identity),
    POSTFLEET_NATS_URL: `nats://127.0.0.1:${nowhere}`,
    POSTFLEET_IMAGE: 'example.org/postfleet:test',
    POSTFLEET_EGRESS_NAMESPACE: 'mail-egress',
  };
  operator = new Child(process.execPath, ['cli/main.ts', 'operator'], { env, name: 'operator' });
  const metadata = { namespace: 'mail', name: 'demo' };
  const spec = { replicas: 2, ipPoolRef: { name: 'main' } };
  await api.apply(KINDS.SendingPool, {
    apiVersion: API_VERSION,
    kind: 'SendingPool',
    metadata,
    spec,
  } as AnyObject);
  await until('the StatefulSet', () =>
    orAbsent(api.get(TYPES.statefulSets, { namespace: 'mail', name: 'demo-delivery' })),
  );
  await until('what is wrong stands in the status', async () => {
    const { status } = await api.get(KINDS.SendingPool, metadata);
    return JSON.stringify(status ?? {}).includes('IPPoolNotFound');
  });
  const published = await until('the authority', () =>
    orAbsent(api.get(TYPES.configMaps, { namespace: 'mail-egress', name: 'postfleet-ca' })),
  );
  const ca = (published.data as Record<string, string>)['ca.crt'] ?? '';
  expect(await statusOf(identity, '/v1/identity', ca)).toBe(401);
  const ready = await fetch(`http://127.0.0.1:${metrics}/readyz`);
  expect([ready.status, await ready.text()]).toEqual([200, 'ok\n']);
  expect(await (await fetch(`http://127.0.0.1:${metrics}/metrics`)).text()).toMatch(
    /controller_runtime_reconcile_total\{controller="sendingpool",result="\w+"\} [1-9]/,
  );
  await operator.stop();
  expect(operator.process.exitCode).toBe(0);
  const lease = await api.get(TYPES.leases, { namespace: 'mail', name: 'postfleet-operator' });
  expect((lease.spec as { holderIdentity?: string }).holderIdentity ?? '').toBe('');
}, 60_000);
