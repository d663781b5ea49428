// What of the checkout belongs into the image: said here once; the Containerfile is held to it by a test. Pure.

/** Top-level folders that pods need. */
export const APPLICATION_FOLDERS = [
  'cli',
  'crds',
  'gateway',
  'mta',
  'operator',
  'process',
  'resources',
] as const;
export const APPLICATION_FILES = ['package.json'] as const;

/** Whether a file of an application folder goes into the image: not what only tests and people read. */
export function belongs(path: string): boolean {
  return !/\.test\.ts$|\.md$|(^|\/)(testdata|fixtures|samples|__snapshots__)\//.test(path);
}

interface LockedPackage {
  readonly version?: string;
  readonly dev?: boolean;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly libc?: readonly string[];
}

export interface Lock {
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

/**
 * Paths (`node_modules/…`) and versions of the packages that production needs on a platform, from package-lock.json: what
 * `npm ci --omit=dev` would install, without Node itself, which is a layer of its own.
 */
export function productionPackages(lock: Lock, os: string, cpu: string): { path: string; version: string }[] {
  const fits = (wanted: readonly string[] | undefined, own: string) => !wanted || wanted.includes(own);
  return Object.entries(lock.packages).flatMap(([path, locked]) => {
    const isNode = /^node_modules\/node-linux-/.test(path);
    const wanted = path !== '' && !locked.dev && !isNode && fits(locked.os, os) && fits(locked.cpu, cpu);
    return wanted && fits(locked.libc, 'glibc') ? [{ path, version: locked.version ?? '' }] : [];
  });
}
