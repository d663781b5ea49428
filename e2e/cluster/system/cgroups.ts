// Everything the cluster starts is in cgroups of its name. They find what no record knows of: pods, and the helpers
// that containerd leaves beside them.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = '/sys/fs/cgroup';
const V1 = [
  'cpu',
  'cpuacct',
  'cpuset',
  'memory',
  'devices',
  'freezer',
  'blkio',
  'pids',
  'systemd',
  'hugetlb',
];
const V2_WANTED = ['cpuset', 'cpu', 'memory', 'pids', 'hugetlb', 'io'];

const isV2 = (): boolean => existsSync(join(ROOT, 'cgroup.controllers'));

/** Mount points of the hierarchies: one in version 2, one per controller in version 1. */
function hierarchies(): string[] {
  if (isV2()) return [ROOT];
  return V1.map((controller) => join(ROOT, controller)).filter((path) =>
    existsSync(join(path, 'cgroup.procs')),
  );
}

/** Makes `name` (like `pf-1a2b3c/node1`) in every hierarchy, ready to have processes in it or below it. */
export function makeCgroup(name: string): void {
  for (const root of hierarchies()) {
    let path = root;
    for (const part of name.split('/')) {
      if (isV2()) delegate(path);
      const parent = path;
      path = join(path, part);
      mkdirSync(path, { recursive: true });
      // Version 1: a new cpuset is empty, and takes no process.
      for (const file of ['cpuset.cpus', 'cpuset.mems']) inherit(join(parent, file), join(path, file));
    }
  }
}

/** Version 2: children get the controllers that their parent hands down. */
function delegate(path: string): void {
  const available = readFileSync(join(path, 'cgroup.controllers'), 'utf8').trim().split(' ');
  const handed = V2_WANTED.filter((controller) => available.includes(controller));
  writeFileSync(join(path, 'cgroup.subtree_control'), handed.map((controller) => `+${controller}`).join(' '));
}

function inherit(from: string, to: string): void {
  if (!isV2() && existsSync(to)) writeFileSync(to, readFileSync(from));
}

/** The file that a process enters `name` by, in one hierarchy: membership there is all we need. */
export function entry(name: string): string {
  return join(isV2() ? ROOT : join(ROOT, 'pids'), name, 'cgroup.procs');
}

/** Folders of the cgroup and all below it, in all hierarchies, deepest first. */
export function cgroupFolders(name: string): string[] {
  return hierarchies().flatMap((root) => below(join(root, name)));
}

function below(path: string): string[] {
  if (!existsSync(path)) return [];
  const children = readdirSync(path, { withFileTypes: true }).filter((each) => each.isDirectory());
  return [...children.flatMap((each) => below(join(path, each.name))), path];
}

/** Numbers of all processes in the cgroup and below. */
export function members(name: string): number[] {
  const lines = cgroupFolders(name).flatMap((folder) => {
    try {
      return readFileSync(join(folder, 'cgroup.procs'), 'utf8').split('\n');
    } catch {
      return []; // removed meanwhile
    }
  });
  return [...new Set(lines.filter(Boolean).map(Number))].filter((pid) => pid > 0);
}

/** Removes the cgroup and all below. @throws Error EBUSY while there are processes in it */
export function removeCgroup(name: string): void {
  for (const folder of cgroupFolders(name)) {
    try {
      rmdirSync(folder);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
}
