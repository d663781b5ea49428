// The steady clock over restarts: due times in a spool are by the clock of the process that wrote them.
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../../process/log.ts';
import type { SteadyClock } from '../../process/steady.ts';

const VERSION = 1;
const SAVE_MS = 60_000;

/** Goes on from what the folder remembers and keeps it up to date; returns what saves it a last time. */
export function keepClock(folder: string, clock: SteadyClock, log: Log): () => void {
  const file = join(folder, 'clock.json');
  const last = remembered(file);
  if (last !== null) clock.notBefore(last);
  const save = () => {
    try {
      writeFileSync(`${file}.new`, JSON.stringify({ version: VERSION, now: clock.now() }));
      renameSync(`${file}.new`, file);
    } catch (error) {
      log.debug(
        { err: error, file },
        'the time could not be written down; a restart goes by the clock of the machine',
      );
    }
  };
  const timer = setInterval(save, SAVE_MS);
  timer.unref();
  return () => {
    clearInterval(timer);
    save();
  };
}

function remembered(file: string): number | null {
  try {
    const { version, now } = JSON.parse(readFileSync(file, 'utf8')) as { version: unknown; now: unknown };
    return version === VERSION && typeof now === 'number' && Number.isFinite(now) ? now : null;
  } catch {
    return null; // a new volume, or one that cannot be read just now
  }
}
