// The folder with tls.crt, tls.key and ca.crt. The three change together: as in Kubernetes' own volumes, they are links
// through `..data`, which is swapped in one step.
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Credentials } from './credentials.ts';

const FILES = { cert: 'tls.crt', key: 'tls.key', ca: 'ca.crt' } as const;

/** @throws when a file is missing */
export async function readCredentials(folder: string): Promise<Credentials> {
  const read = (name: string) => readFile(join(folder, name), 'utf8');
  const [cert, key, ca] = await Promise.all([read(FILES.cert), read(FILES.key), read(FILES.ca)]);
  return { cert, key, ca };
}

/** Replaces all three files at once; the key is readable by this user only. */
export async function writeCredentials(folder: string, credentials: Credentials): Promise<void> {
  const before = await readlink(join(folder, '..data')).catch(() => null);
  const version = `..${randomUUID()}`;
  await mkdir(join(folder, version), { recursive: true, mode: 0o700 });
  for (const [part, name] of Object.entries(FILES)) {
    await writeFile(join(folder, version, name), credentials[part as keyof Credentials], { mode: 0o600 });
  }
  await link(folder, '..data', version);
  for (const name of Object.values(FILES)) await link(folder, name, join('..data', name));
  if (before) await rm(join(folder, before), { recursive: true, force: true });
}

/** Makes or replaces a link in one step. */
async function link(folder: string, name: string, target: string): Promise<void> {
  const path = join(folder, name);
  if ((await readlink(path).catch(() => null)) === target) return;
  const fresh = `${path}.${randomUUID()}`;
  await symlink(target, fresh);
  await rename(fresh, path);
}
