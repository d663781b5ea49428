// A delivery pod as the benches handle it: ended and started again on its volume, asked for its numbers, weighed.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Fleet, RolePod } from '../e2e/rig/fleet.ts';
import { Child, until } from '../e2e/rig/servers.ts';

const MAIN = join(import.meta.dirname, '../cli/main.ts');

export interface Counts {
  /** Recipients in the spool. */
  readonly queued: number;
  /** Parcels pulled and not acknowledged yet. */
  readonly inHand: number;
}

/** As the kubelet restarts a container: the same pod, the same volume. Resolves when it says that it is ready. */
export async function startAgain(pod: RolePod, timeoutMs = 60_000): Promise<Child> {
  const child = new Child(process.execPath, [MAIN, 'delivery'], { name: pod.name, env: pod.env });
  const isReady = async () => {
    if (!child.running) throw new Error(child.output);
    return (await fetch(`http://127.0.0.1:${pod.metricsPort}/readyz`)).ok;
  };
  await until(`${pod.name} to be ready`, isReady, timeoutMs);
  return child;
}

export async function countsOf(fleet: Pick<Fleet, 'metrics'>, pod: RolePod): Promise<Counts> {
  const text = await fleet.metrics(pod);
  const value = (name: string) => Number(new RegExp(`^${name}\\{.*\\} (\\d+)$`, 'm').exec(text)?.[1]);
  return {
    queued: value('postfleet_delivery_queue_recipients'),
    inHand: value('postfleet_delivery_in_hand_parcels'),
  };
}

/** The spool of a volume leaves the page cache, as after the volume's move to another node. */
export function dropCache(volume: string): void {
  const file = join(volume, 'spool', 'data.mdb');
  execFileSync('dd', [`if=${file}`, 'iflag=nocache', 'count=0'], { stdio: 'ignore' });
}

/** MB (10^6 bytes). */
export interface Memory {
  /** Everything resident, the spool's mapped pages included, which the kernel takes back when it needs them. */
  readonly rss: number;
  /** The process's own: heap and buffers. */
  readonly anon: number;
  /** The highest `rss` since the start. */
  readonly highest: number;
}

/** Memory of a process, from /proc (proc(5), status). */
export function memoryMb(pid: number): Memory {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const mb = (name: string) =>
    (Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]) * 1024) / 1e6;
  return { rss: mb('VmRSS'), anon: mb('RssAnon'), highest: mb('VmHWM') };
}
