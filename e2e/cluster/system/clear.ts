// Takes away everything that carries the cluster's name: whole, half or crashed, it is the same work.
import { existsSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Place } from '../place.ts';
import { cgroupFolders, members, removeCgroup } from './cgroups.ts';
import { run } from './command.ts';
import { isAlive, signal } from './identity.ts';
import { linksOf, namespacesOf, removeNetwork } from './network.ts';
import { programs } from './programs.ts';
import { until } from './until.ts';

const CNI_RESULTS = '/var/lib/cni/results';
const CONTAINER_LOGS = '/var/log/containers';

/** Mount points at or below `folder`, innermost first, from the text of /proc/self/mounts. Pure. */
export function mountsBelow(mounts: string, folder: string): string[] {
  const plain = (path: string) =>
    path.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)));
  const paths = mounts.split('\n').map((line) => plain(line.split(' ')[1] ?? ''));
  return paths.filter((path) => path === folder || path.startsWith(`${folder}/`)).reverse();
}

const mountsOf = (place: Place): string[] =>
  mountsBelow(readFileSync('/proc/self/mounts', 'utf8'), place.folder);

/** Files outside the state folder that programs wrote with our names, paths or containers in them. */
function strayFiles(place: Place): string[] {
  const sandboxes = bundles(place).map((path) => `cni-loopback-${basename(path)}-`);
  const list = (folder: string) =>
    existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];
  const ours = (name: string) => [`${place.cgroup}-`, ...sandboxes].some((prefix) => name.startsWith(prefix));
  const results = list(CNI_RESULTS).filter((path) => ours(basename(path)));
  const logs = list(CONTAINER_LOGS).filter((path) => readlinkSync(path).startsWith(`${place.folder}/`));
  return [...results, ...logs, ...shimSockets(place)];
}

/** containerd's folders of containers and pods that run or were killed: each is named by the id. */
function bundles(place: Place): string[] {
  if (!existsSync(place.folder)) return [];
  const nodes = readdirSync(place.folder).filter((name) => /^node\d+$/.test(name));
  return nodes.flatMap((node) => {
    const tasks = join(place.folder, node, 'containerd-state', 'io.containerd.runtime.v2.task', 'k8s.io');
    return existsSync(tasks) ? readdirSync(tasks).map((id) => join(tasks, id)) : [];
  });
}

/** containerd's helpers listen in /run/containerd/s; when they are killed, only their bundle says where. */
function shimSockets(place: Place): string[] {
  const files = bundles(place).map((bundle) => join(bundle, 'address'));
  const sockets = files
    .filter(existsSync)
    .map((file) => readFileSync(file, 'utf8').trim().replace('unix://', ''));
  return sockets.filter((path) => path.startsWith('/run/containerd/s/') && existsSync(path));
}

/** What is there of the cluster outside its state folder, in words. Empty when it is down. */
export function leftovers(place: Place): string[] {
  const named = (kind: string, names: readonly (string | number)[]) => names.map((name) => `${kind} ${name}`);
  return [
    ...named(
      'process',
      programs(place.folder)
        .filter((each) => isAlive(each.identity))
        .map((each) => each.name),
    ),
    ...named('process', members(place.cgroup)),
    ...named('mount', mountsOf(place)),
    ...named('link', linksOf(place)),
    ...named('namespace', namespacesOf(place)),
    ...named('cgroup', cgroupFolders(place.cgroup)),
    ...named('file', strayFiles(place)),
    ...(existsSync(place.folder) ? [`folder ${place.folder}`] : []),
  ];
}

/** Ends and removes everything. Killing is enough: nothing in here outlives the cluster. */
export async function clear(place: Place): Promise<void> {
  await until('the end of all processes', async () => killAll(place), { seconds: 30 });
  // Some go away by themselves when their namespace ends; those that stay are told below.
  for (const path of mountsOf(place)) await run('umount', ['--lazy', path]).catch(() => {});
  await removeNetwork(place);
  await until('the removal of all cgroups', async () => {
    removeCgroup(place.cgroup);
    return true;
  });
  for (const path of strayFiles(place)) rmSync(path, { force: true });
  const left = mountsOf(place);
  if (left.length > 0) throw new Error(`still mounted, so its folder stays: ${left.join(', ')}`);
  rmSync(place.folder, { recursive: true, force: true, maxRetries: 3 });
}

/** @returns whether none is left */
function killAll(place: Place): boolean {
  const known = programs(place.folder).filter(({ identity }) => isAlive(identity));
  for (const { identity } of known) signal(identity, 'SIGKILL');
  // A cgroup of our name has only what we put there, so its members need no other proof.
  const grouped = members(place.cgroup);
  for (const pid of grouped) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // ended by itself
    }
  }
  return known.length === 0 && grouped.length === 0;
}
