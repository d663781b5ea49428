// The miniature internet beside a cluster: started once, left running with the cluster, found again by its control socket.
import { mkdirSync, openSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Cluster } from '../cluster/index.ts';
import { InternetClient } from '../internet/client.ts';
import { until } from '../rig/process.ts';

/** Connects to the cluster's internet, starting it when nobody answers. What it recorded before stays until `reset()`. */
export async function openInternet(cluster: Cluster): Promise<InternetClient> {
  const folder = join(dirname(cluster.kubeconfig), 'internet');
  const control = join(folder, 'control.sock');
  const client = new InternetClient(control);
  if (await answers(client)) return client;
  mkdirSync(folder, { recursive: true });
  const log = openSync(join(folder, 'internet.log'), 'a');
  const main = join(import.meta.dirname, '../internet/main.ts');
  const command = [process.execPath, main, '--control', control, '--folder', join(folder, 'mail')] as const;
  // Not our child to wait for: it outlives the demo and ends with the cluster.
  const child = cluster.runInInternet(command, { detached: true, stdio: ['ignore', log, log] });
  child.unref();
  await until(`the miniature internet (${folder}/internet.log)`, () => answers(client));
  return client;
}

const answers = (client: InternetClient) =>
  client.world().then(
    () => true,
    () => false,
  );
