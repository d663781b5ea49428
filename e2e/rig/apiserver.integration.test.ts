import { execFile } from 'node:child_process';
import { access } from 'node:fs/promises';
import { promisify } from 'node:util';
import { CoreV1Api, KubeConfig } from '@kubernetes/client-node';
import { startApiServer } from './apiserver.ts';

test('a real API server answers its administrator, and nothing of it is left after stop', async () => {
  const server = await startApiServer();
  const config = new KubeConfig();
  config.loadFromFile(server.kubeconfigPath);
  const namespaces = await config.makeApiClient(CoreV1Api).listNamespace();
  expect(namespaces.items.map((item) => item.metadata?.name)).toContain('default');
  await server.stop();
  await expect(access(server.kubeconfigPath)).rejects.toThrow('ENOENT');
  const { stdout } = await promisify(execFile)('ps', ['-eo', 'args']);
  expect(stdout).not.toContain(server.kubeconfigPath.replace(/\/kubeconfig$/, ''));
}, 90_000);
