// Runs beside the control plane: makes and removes folders for volumes of the class `local`.
// `node provisioner.ts KUBECONFIG STATE_FOLDER folders|disks`. A watch only wakes it up; each time it looks at everything anew, so that
// nothing that it missed or did not finish matters.
import { chmod, mkdir, readFile, rm } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { parse } from 'yaml';
import { type Claim, missingVolumes, releasedVolumes, type Volume } from './decide.ts';
import { makeDisk, removeDisk } from './disk.ts';

const CLAIMS = '/api/v1/persistentvolumeclaims';
const VOLUMES = '/api/v1/persistentvolumes';
const WATCH_SECONDS = 60;
const RETRY_MS = 1000;

const [kubeconfigPath = '', root = '', kind = 'folders'] = process.argv.slice(2);
const config = parse(await readFile(kubeconfigPath, 'utf8'));
const text = (base64: string) => Buffer.from(base64, 'base64').toString();
const { server, 'certificate-authority-data': ca } = config.clusters[0].cluster;
const { 'client-certificate-data': cert, 'client-key-data': key } = config.users[0].user;
const dispatcher = new Agent({ connect: { ca: text(ca), cert: text(cert), key: text(key) }, bodyTimeout: 0 });

async function call<T>(method: 'GET' | 'POST' | 'DELETE', path: string, body?: object): Promise<T> {
  const answer = await request(`${server}${path}`, {
    method,
    dispatcher,
    headers: { 'content-type': 'application/json' },
    body: body ? JSON.stringify(body) : null,
  });
  const json = (await answer.body.json()) as T & { readonly message?: string };
  const expected = answer.statusCode < 300 || answer.statusCode === 404 || answer.statusCode === 409;
  if (!expected) throw new Error(`${method} ${path}: ${answer.statusCode} ${json.message}`);
  return json;
}

async function lookAndAct(): Promise<void> {
  const [claims, volumes] = await Promise.all([
    call<{ items: Claim[] }>('GET', CLAIMS),
    call<{ items: Volume[] }>('GET', VOLUMES),
  ]);
  for (const { path, bytes, manifest } of missingVolumes(claims.items, volumes.items, root)) {
    await mkdir(path, { recursive: true });
    if (kind === 'disks') await makeDisk(path, bytes);
    await chmod(path, 0o777); // whoever the pod runs as; mkdir's mode is subject to the umask
    await call('POST', VOLUMES, manifest);
    console.log(`made ${path}`);
  }
  for (const { name, path } of releasedVolumes(volumes.items, root)) {
    if (kind === 'disks') await removeDisk(path);
    await rm(path, { recursive: true, force: true });
    await call('DELETE', `${VOLUMES}/${name}`);
    console.log(`removed ${path}`);
  }
}

let wanted = false;
let busy = false;
/** Looks now, or once more when the look that is under way has ended. */
async function wake(): Promise<void> {
  wanted = true;
  if (busy) return;
  busy = true;
  while (wanted) {
    wanted = false;
    await lookAndAct().catch(async (error) => {
      console.error(error);
      await delay(RETRY_MS);
      wanted = true;
    });
  }
  busy = false;
}

async function watch(path: string): Promise<never> {
  for (;;) {
    try {
      const url = `${server}${path}?watch=1&timeoutSeconds=${WATCH_SECONDS}`;
      const { body } = await request(url, { dispatcher });
      for await (const _ of createInterface({ input: Readable.from(body) })) void wake();
    } catch (error) {
      console.error(error);
      await delay(RETRY_MS);
    }
  }
}

await Promise.all([watch(CLAIMS), watch(VOLUMES)]);
