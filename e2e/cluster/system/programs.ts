// Programs that go on running when we have ended: started in a namespace and a cgroup, recorded with their identity, and
// blamed with the end of their log when they die.
import { spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { entry } from './cgroups.ts';
import { type Identity, identify, isAlive, signal } from './identity.ts';
import { until } from './until.ts';

export interface Start {
  /** Unique in the cluster: also the name of its log. */
  readonly name: string;
  readonly namespace: string;
  readonly cgroup: string;
  readonly command: readonly [string, ...string[]];
  readonly env?: NodeJS.ProcessEnv;
}

const pidFile = (folder: string, name: string) => join(folder, 'pids', `${name}.json`);
const logFile = (folder: string, name: string) => join(folder, 'logs', `${name}.log`);

/**
 * Starts a program of the cluster whose state is in `folder`. It enters its cgroup before it becomes the program, so there is no
 * moment at which we could be cut off and leave it unknown. nsenter, not `ip netns exec`: that one remounts /sys and
 * hides the cgroups from the kubelet.
 */
export function startProgram(folder: string, start: Start): void {
  for (const each of ['pids', 'logs']) mkdirSync(join(folder, each), { recursive: true });
  const log = openSync(logFile(folder, start.name), 'a');
  const script = 'echo $$ > "$1" && shift && exec "$@"';
  const inNamespace = ['nsenter', `--net=/run/netns/${start.namespace}`, ...start.command];
  const child = spawn('/bin/sh', ['-c', script, 'sh', entry(start.cgroup), ...inNamespace], {
    stdio: ['ignore', log, log],
    detached: true,
    cwd: folder,
    env: start.env ?? process.env,
  });
  closeSync(log);
  child.unref();
  const identity = child.pid === undefined ? undefined : identify(child.pid);
  if (!identity) throw new Error(`${start.name} did not start${tail(folder, start.name)}`);
  const path = pidFile(folder, start.name);
  writeFileSync(`${path}.new`, JSON.stringify(identity));
  renameSync(`${path}.new`, path);
}

/** The recorded programs of a cluster, by name. */
export function programs(folder: string): { name: string; identity: Identity }[] {
  const pids = join(folder, 'pids');
  if (!existsSync(pids)) return [];
  const files = readdirSync(pids).filter((file) => file.endsWith('.json'));
  return files.map((file) => ({
    name: file.slice(0, -'.json'.length),
    identity: JSON.parse(readFileSync(join(pids, file), 'utf8')) as Identity,
  }));
}

/** Recorded programs that no longer run. */
export const dead = (folder: string): string[] =>
  programs(folder)
    .filter(({ identity }) => !isAlive(identity))
    .map(({ name }) => name);

/** @throws Error that names the program that has ended, its log file and its last lines */
export function assertAlive(folder: string): void {
  const [name] = dead(folder);
  if (name) throw new Error(`${name} has ended${tail(folder, name)}`);
}

function tail(folder: string, name: string): string {
  const path = logFile(folder, name);
  const lines = existsSync(path) ? readFileSync(path, 'utf8').trimEnd().split('\n').slice(-12) : [];
  return `; the end of ${path}:\n${lines.map((line) => `  ${line.slice(0, 400)}`).join('\n')}`;
}

/** Ends a program and forgets it; nothing when it is unknown. */
export async function stopProgram(
  folder: string,
  name: string,
  by: NodeJS.Signals = 'SIGTERM',
): Promise<void> {
  const found = programs(folder).find((each) => each.name === name);
  if (!found) return;
  signal(found.identity, by);
  await until(`the end of ${name}`, async () => !isAlive(found.identity), { seconds: 20 });
  rmSync(pidFile(folder, name), { force: true });
}
