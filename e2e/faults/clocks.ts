// The clock of a pod's processes; see e2e/image/clock.ts.
import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { CLOCK_FILE } from '../image/clock.ts';
import type { RoleProcess } from './processes.ts';

/** What libfaketime adds to the time. Pure. */
export const clockText = (seconds: number): string => `${seconds < 0 ? '-' : '+'}${Math.abs(seconds)}\n`;

/** Seconds ahead of the machine's clock; 0 is that clock. */
export function setClock({ identity }: RoleProcess, seconds: number): void {
  const file = `/proc/${identity.pid}/root${CLOCK_FILE}`;
  if (seconds === 0) {
    rmSync(file, { force: true });
    return;
  }
  if (!existsSync(`/proc/${identity.pid}/root/usr/lib/x86_64-linux-gnu/faketime`))
    throw new Error('its image has no clock to be set (Debian package libfaketime)');
  writeFileSync(`${file}.new`, clockText(seconds), { mode: 0o644 });
  renameSync(`${file}.new`, file);
}
