// A variant of an image whose programs believe a clock that tests set. libfaketime is loaded before everything else and adds to the wall clock
// what stands in a file, read once a second; monotonic time goes on as it is. Without the file the time is the machine's.
import { existsSync } from 'node:fs';
import { cachedLayer } from './layer.ts';
import { assemble, type Image } from './layout.ts';
import { programs } from './system.ts';

/** In the pod's own folder for temporary files: every pod has one, and its containers may restart with the wrong time. */
export const CLOCK_FILE = '/tmp/clock';
const LIBRARY = '/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1';

/** Whether there is the library (Debian package libfaketime). */
export const hasClock = (): boolean => existsSync(LIBRARY);

/** Environment of a program whose time is what the file says. */
export const clockSettings = (file: string): string[] => [
  `LD_PRELOAD=${LIBRARY}`,
  `FAKETIME_TIMESTAMP_FILE=${file}`,
  'FAKETIME_CACHE_DURATION=1',
  'FAKETIME_DONT_FAKE_MONOTONIC=1',
];

export async function withClock({ name, layers, runs }: Image): Promise<Image> {
  const layer = await cachedLayer('clock-1', async () => programs([LIBRARY]));
  return assemble(name, [...layers, layer], { ...runs, env: clockSettings(CLOCK_FILE) });
}
