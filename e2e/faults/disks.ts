// What can be done to the file system of a volume (e2e/cluster/storage/disk.ts).
import { existsSync, readdirSync, readFileSync, statfsSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { imageOf, mountDisk } from '../cluster/storage/disk.ts';
import { run } from '../cluster/system/command.ts';
import { until } from '../rig/process.ts';

const PYTHON = '/usr/bin/python3';
const BALLAST = 'ballast';
const GONE_MS = 60_000;

/** Takes all free space but a rest too small for anything. */
export async function fill(path: string): Promise<void> {
  const { bavail, bsize } = statfsSync(path);
  let parts = 0;
  for (let bytes = bavail * bsize; bytes >= bsize; ) {
    const file = join(path, `${BALLAST}.${parts++}`);
    const taken = await run('fallocate', ['-l', String(bytes), file]).then(
      () => true,
      () => false,
    );
    if (!taken) await rm(file, { force: true });
    bytes = taken ? bytes : Math.floor(bytes / 2);
  }
}

export async function empty(path: string): Promise<void> {
  if (!existsSync(path)) return;
  const ours = readdirSync(path).filter((name) => name.startsWith(BALLAST));
  for (const name of ours) await rm(join(path, name), { force: true });
}

const volumesBelow = (folder: string): { path: string; options: string }[] =>
  mounts()
    .map(([, path = '', , options = '']) => ({ path, options }))
    .filter(
      ({ path }) =>
        path.startsWith(`${folder}/node`) &&
        /^\/node\d+\/volumes\/pvc-[^/]+$/.test(path.slice(folder.length)),
    );

/** Empties every volume below the folder of what `fill` left. */
export async function emptyAll(folder: string): Promise<void> {
  for (const { path } of volumesBelow(folder)) await empty(path).catch(() => {});
}

/** Volumes below the folder that a run that was cut off left failing or read-only. */
export const brokenBelow = (folder: string): string[] =>
  volumesBelow(folder)
    .filter(({ options }) => /(^|,)(ro|emergency_ro|shutdown)(,|$)/.test(options))
    .map(({ path }) => path);

/** The file system finds an error in itself, and takes no more writes. */
export function makeReadOnly(path: string): void {
  writeFileSync(`/sys/fs/ext4/${loopOf(path)}/trigger_fs_error`, 'tried\n');
}

/** Every read of what is not in memory and every write fails from now on; what was not synced is lost for good, as when the power goes. */
export async function cutPower(path: string): Promise<void> {
  await run(PYTHON, [join(import.meta.dirname, 'shut_down.py'), path]);
}

/** A new life of the file system from what is on the disk. @throws Error when somebody still has the old one */
export async function mountAgain(path: string): Promise<void> {
  if (mountOf(path)) await run('umount', [path]);
  const left = async () => (await run('losetup', ['--associated', imageOf(path)])).trim() === '';
  await until(`${basename(path)} to be left by everybody`, left, GONE_MS);
  await mountDisk(path);
}

/** The device that is mounted there. */
const mountOf = (path: string): string | undefined => mounts().find(([, where]) => where === path)?.[0];

const mounts = (): string[][] =>
  readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '));

/** Name of the device that is mounted there. @throws Error when none is */
function loopOf(path: string): string {
  const device = mountOf(path) ?? '';
  if (!device.startsWith('/dev/loop')) throw new Error(`${path} has no file system of its own`);
  return basename(device);
}
