// The roles' processes as this machine sees them: by the cluster's cgroup, so that another cluster's are never touched.
import { readFileSync } from 'node:fs';
import type { Place } from '../cluster/place.ts';
import { members } from '../cluster/system/cgroups.ts';
import { type Identity, identify, signal } from '../cluster/system/identity.ts';
import { programs } from '../cluster/system/programs.ts';

export const ROLES = ['ingress', 'delivery', 'egress', 'gateway', 'operator', 'nats', 'postgres'] as const;
export type Role = (typeof ROLES)[number];

export interface RoleProcess {
  readonly role: Role;
  readonly pod: string;
  readonly identity: Identity;
}

/** Which role a command line is; undefined for everything else, also for the CLI run within a pod. Pure. */
export function roleOf(command: readonly string[]): Role | undefined {
  const [program = '', first] = command;
  if (program.endsWith('nats-server')) return 'nats';
  if (program === 'postgres' && first === '-D') return 'postgres';
  const main = command.findIndex((word) => word.endsWith('/cli/main.ts'));
  return main < 0 ? undefined : ROLES.find((role) => role === command[main + 1]);
}

/** Which pod an environment is of. Pods of the host's network have the host's name, so ours say theirs. Pure. */
export function podOf(environment: readonly string[]): string {
  const value = (name: string) =>
    environment.find((one) => one.startsWith(`${name}=`))?.slice(name.length + 1);
  return value('POSTFLEET_POD_NAME') ?? value('HOSTNAME') ?? '';
}

const words = (file: string): string[] => readFileSync(file, 'utf8').split('\0').filter(Boolean);

/** All processes of roles in the cluster now, or in a part of it, like `node2`. */
export function roleProcesses(place: Place, part?: string): RoleProcess[] {
  return members(part ? `${place.cgroup}/${part}` : place.cgroup).flatMap((pid) => {
    try {
      const role = roleOf(words(`/proc/${pid}/cmdline`));
      const identity = role && identify(pid);
      return identity ? [{ role, identity, pod: podOf(words(`/proc/${pid}/environ`)) }] : [];
    } catch {
      return []; // it has ended meanwhile
    }
  });
}

/** A program of the control plane, like `kube-apiserver`. @throws Error when the cluster has none of that name */
export function controlProgram(place: Place, name: string): Identity {
  const found = programs(place.folder).find((one) => one.name === name);
  if (!found) throw new Error(`the cluster has no ${name}`);
  return found.identity;
}

/** Lets everything run that a fault, or a run that was cut off, left stopped. */
export function resumeAll(place: Place): void {
  for (const { identity } of roleProcesses(place)) signal(identity, 'SIGCONT');
  signal(controlProgram(place, 'kube-apiserver'), 'SIGCONT');
}
