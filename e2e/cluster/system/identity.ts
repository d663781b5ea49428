// A process is known by its number, the moment it started and the boot it started in: the number alone may be another's by now.
import { readFileSync } from 'node:fs';

export interface Identity {
  readonly pid: number;
  /** Clock ticks between boot and start, as text: field 22 of proc_pid_stat(5). */
  readonly startTicks: string;
  readonly boot: string;
}

/**
 * Field 22 of /proc/<pid>/stat. The second field is the program's name in brackets, and may contain spaces and brackets,
 * so counting begins behind the last one. Pure. @returns undefined for a zombie: it has ended, only nobody asked yet
 */
export function startTicks(stat: string): string | undefined {
  const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return state === 'Z' || state === 'X' ? undefined : fields[18];
}

const boot = (): string => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();

/** The process that has this number now, if any. */
export function identify(pid: number): Identity | undefined {
  try {
    const ticks = startTicks(readFileSync(`/proc/${pid}/stat`, 'utf8'));
    return ticks === undefined ? undefined : { pid, startTicks: ticks, boot: boot() };
  } catch {
    return undefined;
  }
}

/** Whether that very process still runs. */
export function isAlive(known: Identity): boolean {
  const now = identify(known.pid);
  return now !== undefined && now.startTicks === known.startTicks && now.boot === known.boot;
}

/** Sends a signal to that very process; nothing when it has ended. */
export function signal(known: Identity, name: NodeJS.Signals): void {
  if (!isAlive(known)) return;
  try {
    process.kill(known.pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
