// Arms a failpoint in a process of the cluster, and waits for its end.
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { isAlive, signal } from '../cluster/system/identity.ts';
import { until } from '../rig/process.ts';
import type { RoleProcess } from './processes.ts';

const PROGRAM = join(import.meta.dirname, 'inspect.ts');
const ARM_MS = 15_000;

export interface Armed {
  /** Whether the process has ended meanwhile. */
  readonly reached: () => boolean;
  /** Not armed any more. */
  readonly disarm: () => Promise<void>;
}

/** @throws Error when the process cannot be reached */
export async function arm({ identity }: RoleProcess, name: string, nth: number): Promise<Armed> {
  signal(identity, 'SIGUSR1');
  // The inspector listens a moment after the signal.
  const child = await until(`${name} to be armed`, () => inspect(identity.pid, name, nth), ARM_MS);
  return { reached: () => !isAlive(identity), disarm: async () => void child.kill() };
}

async function inspect(pid: number, name: string, nth: number): Promise<ChildProcess> {
  const command = [process.execPath, PROGRAM, String(pid), name, String(nth)];
  const child = spawn('nsenter', ['-t', String(pid), '-n', ...command], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await new Promise((resolve, reject) => {
    child.stdout.once('data', resolve);
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`inspect.ts ended with ${code}`)));
  });
  return child;
}
