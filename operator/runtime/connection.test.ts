import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import { createAuthority } from '../authority/authority.ts';
import { connectByKubeConfig } from './connection.ts';
import { ManualClock } from './manual-clock.ts';
import { TYPES } from './objects.ts';
import { json, list, ScriptedApiServer, status } from './scripted-api-server.ts';
import { KubeApi } from './transport.ts';

const LIST = 'GET /api/v1/pods';

describe('the connection by kubeconfig', () => {
  let server: ScriptedApiServer;
  let config: KubeConfig;
  let folder: string;
  beforeEach(async () => {
    const { cert, key, ca } = await (await createAuthority()).issueLocal({
      namespace: 'kube-system',
      role: 'operator',
      pool: null,
      pod: 'scripted',
      uid: 'scripted',
    });
    server = await ScriptedApiServer.start({ cert, key });
    folder = await mkdtemp(join(tmpdir(), 'postfleet-connection-'));
    await writeFile(join(folder, 'token'), 'first');
    config = new KubeConfig();
    config.loadFromClusterAndUser(
      {
        name: 'c',
        server: `https://127.0.0.1:${server.port}/`,
        caData: Buffer.from(ca).toString('base64'),
        skipTLSVerify: false,
      },
      { name: 'u', authProvider: { name: 'tokenFile', config: { tokenFile: join(folder, 'token') } } },
    );
  });
  afterEach(async () => {
    await server.stop();
    await rm(folder, { recursive: true });
  });

  it('takes one TLS connection for 50 requests', async () => {
    const api = new KubeApi(connectByKubeConfig(config));
    server.script(LIST, list('1', []));
    for (let i = 0; i < 50; i++) await api.list(TYPES.pods);
    expect(server.requests).toHaveLength(50);
    expect(server.connections).toBe(1);
    expect(server.requests[49]?.headers.authorization).toBe('Bearer first');
    await api.close();
  });

  it('reads credentials anew, once, when they are refused', async () => {
    const api = new KubeApi(connectByKubeConfig(config, new ManualClock()));
    server.script(
      LIST,
      status(401, 'Unauthorized'),
      json(200, { metadata: { resourceVersion: '1' }, items: null }),
    );
    expect(await api.list(TYPES.pods)).toEqual({ items: [], resourceVersion: '1' });
    expect(server.connections).toBe(1);
    server.script(LIST, status(401, 'Unauthorized'));
    await expect(api.list(TYPES.pods)).rejects.toMatchObject({ status: 401 });
    expect(server.requests).toHaveLength(4);
    await api.close();
  });

  it('does not speak to a server of another authority', async () => {
    const { ca } = await createAuthority();
    const cluster = config.getCurrentCluster();
    if (!cluster) throw new Error('no cluster');
    const user = { name: 'u', token: 't' };
    config.loadFromClusterAndUser({ ...cluster, caData: Buffer.from(ca).toString('base64') }, user);
    const api = new KubeApi(connectByKubeConfig(config), { attempts: 1 });
    await expect(api.list(TYPES.pods)).rejects.toThrow(/certificate/);
    expect(server.requests).toHaveLength(0);
    await api.close();
  });
});
