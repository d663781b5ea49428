// A real etcd and a real kube-apiserver on loopback for integration tests: no controllers, no kubelet, about five seconds.
// Both programs are links to the one Go binary that `make tools` builds. Called by tests only.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { access, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { writePki } from './apiserver-pki.ts';
import { freePorts } from './ports.ts';
import { binFolder } from './process.ts';

export interface ApiServer {
  /** `https://127.0.0.1:<port>` */
  readonly url: string;
  /** A kubeconfig of a member of system:masters, with certificates embedded. */
  readonly kubeconfigPath: string;
  /** The authority's certificate, PEM. */
  readonly ca: string;
  /** Ends both programs and removes their folder. */
  stop(): Promise<void>;
}

const START_SECONDS = 60;
const ATTEMPTS = 3;

/**
 * Starts an empty API server. Service-account admission is off (there is no controller to make the accounts); tokens can be
 * requested and reviewed.
 * @throws Error with the end of the log when it does not become ready.
 */
export async function startApiServer(): Promise<ApiServer> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnce();
    } catch (cause) {
      // The ports were free a moment ago; another test may have been faster.
      if (attempt === ATTEMPTS || !/address already in use/.test(String(cause))) throw cause;
    }
  }
}

async function startOnce(): Promise<ApiServer> {
  const folder = await mkdtemp(join(tmpdir(), 'postfleet-apiserver-'));
  const children: ChildProcess[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(children.map(end));
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    const [client = 0, peer = 0, secure = 0] = await freePorts(3);
    await Promise.all([linkPrograms(folder), writePki(folder)]);
    children.push(start(folder, 'etcd', etcdFlags(folder, client, peer)));
    children.push(start(folder, 'kube-apiserver', apiServerFlags(folder, client, secure)));
    const url = `https://127.0.0.1:${secure}`;
    await untilReady(folder, url, children);
    const kubeconfigPath = await writeKubeconfig(folder, url);
    return { url, kubeconfigPath, ca: await readFile(join(folder, 'ca.crt'), 'utf8'), stop };
  } catch (cause) {
    const log = await readFile(join(folder, 'kube-apiserver.log'), 'utf8').catch(() => '');
    await stop();
    throw new Error(`kube-apiserver did not start: ${cause}\n${log.slice(-3000)}`, { cause });
  }
}

async function linkPrograms(folder: string): Promise<void> {
  const kube = join(binFolder(), 'kube');
  await access(kube).catch((cause) => {
    throw new Error(`${kube} is missing: run "make tools"`, { cause });
  });
  await mkdir(join(folder, 'bin'));
  await Promise.all(['etcd', 'kube-apiserver'].map((name) => symlink(kube, join(folder, 'bin', name))));
}

function etcdFlags(folder: string, client: number, peer: number): string[] {
  const [clientUrl, peerUrl] = [`http://127.0.0.1:${client}`, `http://127.0.0.1:${peer}`];
  return [
    ...['--data-dir', join(folder, 'etcd'), '--unsafe-no-fsync', '--log-level', 'error'],
    ...['--listen-client-urls', clientUrl, '--advertise-client-urls', clientUrl],
    ...['--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl],
    ...['--initial-cluster', `default=${peerUrl}`],
  ];
}

function apiServerFlags(folder: string, etcdPort: number, port: number): string[] {
  const path = (file: string): string => join(folder, file);
  return [
    `--etcd-servers=http://127.0.0.1:${etcdPort}`,
    '--bind-address=127.0.0.1',
    '--advertise-address=127.0.0.1',
    `--secure-port=${port}`,
    `--client-ca-file=${path('ca.crt')}`,
    `--tls-cert-file=${path('server.crt')}`,
    `--tls-private-key-file=${path('server.key')}`,
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-signing-key-file=${path('sa.key')}`,
    `--service-account-key-file=${path('sa.pub')}`,
    '--authorization-mode=RBAC',
    '--service-cluster-ip-range=10.96.0.0/16',
    '--allow-privileged',
    '--disable-admission-plugins=ServiceAccount',
  ];
}

function start(folder: string, program: string, flags: readonly string[]): ChildProcess {
  const log = openSync(join(folder, `${program}.log`), 'a');
  const child = spawn(join(folder, 'bin', program), flags, { stdio: ['ignore', log, log] });
  closeSync(log);
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  child.once('exit', () => process.off('exit', kill));
  return child;
}

/** Nothing in it is worth a graceful end, which would wait for open watches. */
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

async function untilReady(folder: string, url: string, children: readonly ChildProcess[]): Promise<void> {
  const [ca, cert, key] = await Promise.all(
    ['ca.crt', 'admin.crt', 'admin.key'].map((file) => readFile(join(folder, file))),
  );
  const deadline = Date.now() + START_SECONDS * 1000;
  while (Date.now() < deadline) {
    const dead = children.find((child) => child.exitCode !== null || child.signalCode !== null);
    if (dead) throw new Error(`${dead.spawnfile} ended with ${dead.exitCode ?? dead.signalCode}`);
    if ((await status(`${url}/readyz`, { ca, cert, key })) === 200) return;
    await pause(100);
  }
  throw new Error(`not ready after ${START_SECONDS} s`);
}

function status(url: string, tls: object): Promise<number> {
  return new Promise((resolve) => {
    const call = request(url, { ...tls, agent: false, timeout: 2000 }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    call.on('timeout', () => call.destroy(new Error('timeout')));
    call.on('error', () => resolve(0));
    call.end();
  });
}

async function writeKubeconfig(folder: string, server: string): Promise<string> {
  const base64 = (file: string): Promise<string> => readFile(join(folder, file), 'base64');
  const [ca, cert, key] = await Promise.all([base64('ca.crt'), base64('admin.crt'), base64('admin.key')]);
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'admin' } }],
    clusters: [{ name: 'test', cluster: { server, 'certificate-authority-data': ca } }],
    users: [{ name: 'admin', user: { 'client-certificate-data': cert, 'client-key-data': key } }],
  };
  const path = join(folder, 'kubeconfig');
  await writeFile(path, JSON.stringify(config), { mode: 0o600 });
  return path;
}
