// A volume with a file system of its own, in a file: it has the size that was asked for, and it can be made to fail.
import { existsSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { run } from '../system/command.ts';

export const imageOf = (path: string): string => `${path}.ext4`;

const isMounted = (path: string): boolean =>
  readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .some((line) => line.split(' ')[1] === path);

/** Makes the file system, unless it is there, and mounts it at the folder. The file takes no more of the disk than is written. */
export async function makeDisk(path: string, bytes: number): Promise<void> {
  const image = imageOf(path);
  if (!existsSync(image)) {
    await run('truncate', ['-s', String(bytes), `${image}.new`]);
    await run('mkfs.ext4', ['-q', '-m', '0', '-E', 'lazy_itable_init=1,nodiscard', `${image}.new`]);
    await run('mv', [`${image}.new`, image]);
  }
  if (isMounted(path)) return;
  await mountDisk(path);
  // PostgreSQL begins only in an empty folder.
  await rm(`${path}/lost+found`, { recursive: true, force: true });
}

/** An error of the file system makes it read-only, as it does on most machines. */
export async function mountDisk(path: string): Promise<void> {
  await run('mount', ['-o', 'loop,errors=remount-ro', imageOf(path), path]);
}

export async function removeDisk(path: string): Promise<void> {
  if (isMounted(path)) await run('umount', [path]);
  await rm(imageOf(path), { force: true });
}
