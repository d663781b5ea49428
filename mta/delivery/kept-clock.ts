// The steady clock over restarts: due times in a spool are by the clock of the process that wrote them.
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../../process/log.ts';
import type { SteadyClock } from '../../process/steady.ts';

const VERSION = 1;
const SAVE_MS = 60_000;

/**
 * Goes on from what the folder remembers and keeps it up to date; returns what saves it a last time. What is saved also says that the
 * release that worked this volume last knows the marks of copies in doubt (marks.ts).
 */
export function keepClock(folder: string, clock: SteadyClock, log: Log): () => void {
  const file = join(folder, 'clock.json');
  const last = remembered(file)?.now ?? null;
  if (last !== null) clock.notBefore(last);
  const save = () => {
    try {
      writeFileSync(`${file}.new`, JSON.stringify({ version: VERSION, now: clock.now(), marks: true }));
      renameSync(`${file}.new`, file);
    } catch (error) {
      log.debug(
        { err: error, file },
        'the time could not be written down; a restart goes by the clock of the machine',
      );
    }
  };
  save();
  const timer = setInterval(save, SAVE_MS);
  timer.unref();
  return () => {
    clearInterval(timer);
    save();
  };
}

/** Whether a release that knows the marks has worked the volume last. */
export const keptMarks = (folder: string): boolean => remembered(join(folder, 'clock.json'))?.marks === true;

interface Kept {
  readonly version: unknown;
  readonly now: number;
  readonly marks?: unknown;
}

function remembered(file: string): Kept | null {
  try {
    const kept = JSON.parse(readFileSync(file, 'utf8')) as Kept;
    return kept.version === VERSION && Number.isFinite(kept.now) ? kept : null;
  } catch {
    return null; // a new volume, or one that cannot be read just now
  }
}
