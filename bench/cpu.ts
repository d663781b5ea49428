// CPU seconds and memory of a process and all its descendants, from /proc.
import { readdirSync, readFileSync } from 'node:fs';

const TICKS_PER_SECOND = 100;

interface Stat {
  readonly pid: number;
  readonly parent: number;
  /** User and system time, with that of children already waited for, in ticks. */
  readonly ticks: number;
}

function stats(): Stat[] {
  return readdirSync('/proc').flatMap((entry) => {
    if (!/^\d+$/.test(entry)) return [];
    try {
      const fields = readFileSync(`/proc/${entry}/stat`, 'utf8')
        .replace(/^.*\) /, '')
        .split(' ');
      const at = (i: number) => Number(fields[i]);
      return [{ pid: Number(entry), parent: at(1), ticks: at(11) + at(12) + at(13) + at(14) }];
    } catch {
      return []; // it ended meanwhile; its parent has its time
    }
  });
}

function tree(pid: number, all: readonly Stat[]): Stat[] {
  const root = all.find((stat) => stat.pid === pid);
  return root
    ? [root, ...all.filter((stat) => stat.parent === pid).flatMap((stat) => tree(stat.pid, all))]
    : [];
}

/** CPU seconds used so far by `pid` and its descendants. */
export function cpuSeconds(pid: number): number {
  return tree(pid, stats()).reduce((sum, stat) => sum + stat.ticks, 0) / TICKS_PER_SECOND;
}

/** Proportional set size of `pid` and its descendants in MiB. */
export function memoryMiB(pid: number): number {
  const kib = tree(pid, stats()).map((stat) => {
    try {
      return Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${stat.pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0);
    } catch {
      return 0;
    }
  });
  return kib.reduce((sum, k) => sum + k, 0) / 1024;
}
