// What images take over from the machine: programs with their shared libraries, users, certificates.
import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, readdirSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Entry } from './layer.ts';

/** Paths of the libraries (and the loader) in ldd's output. Pure. @throws Error when one is not found */
export function librariesOf(lddOutput: string): string[] {
  const missing = /^\s*(\S+) => not found/m.exec(lddOutput);
  if (missing) throw new Error(`shared library ${missing[1]} is missing on this machine`);
  const matches = lddOutput.matchAll(/^\s*(?:\S+ => )?(\/\S+) \(0x/gm);
  return [...new Set([...matches].flatMap((match) => match[1] ?? []))];
}

/** Debian's file system since 12: /bin, /sbin and /lib are links into /usr. Pure. */
export const mergedUsr = (path: string): string => path.replace(/^\/(bin|sbin|lib|lib64)\//, '/usr/$1/');

export const MERGED_USR: readonly Entry[] = ['bin', 'sbin', 'lib', 'lib64'].map((name) => ({
  kind: 'link',
  path: `/${name}`,
  target: `usr/${name}`,
}));

const file = (path: string, source: string): Entry => ({
  kind: 'file',
  path: mergedUsr(path),
  source: realpathSync(source),
  executable: (statSync(source).mode & 0o111) !== 0,
});

/** Programs (or loadable modules) under the paths they have here, and all libraries that they need. */
export function programs(paths: readonly string[]): Entry[] {
  return [...paths.map((path) => file(path, path)), ...libraries(paths)];
}

/** The libraries that the files need. */
export function libraries(paths: readonly string[]): Entry[] {
  const dynamic = paths.filter((path) => !isStatic(path));
  const found = new Set(dynamic.flatMap((path) => librariesOf(execFileSync('ldd', [path]).toString())));
  return [...found].map((path) => file(path, path));
}

function isStatic(path: string): boolean {
  try {
    execFileSync('ldd', [path], { stdio: ['ignore', 'ignore', 'pipe'] });
    return false;
  } catch {
    return true;
  }
}

/** A folder with all below it, placed at `path`; `wanted` gets paths relative to `source`. */
export function tree(source: string, path: string, wanted: (path: string) => boolean = () => true): Entry[] {
  const walk = (below: string): Entry[] =>
    readdirSync(join(source, below)).flatMap((name): Entry[] => {
      const relative = join(below, name);
      const from = join(source, relative);
      const stats = lstatSync(from);
      if (stats.isDirectory()) return walk(relative);
      if (!wanted(relative)) return [];
      const to = join(path, relative);
      if (stats.isSymbolicLink()) return [{ kind: 'link', path: to, target: readlinkSync(from) }];
      return stats.isFile() ? [file(to, from)] : [];
    });
  return walk('');
}

const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt';

const USERS = [
  'root:x:0:0:root:/:/sbin/nologin',
  'postgres:x:999:999:PostgreSQL:/var/lib/postgresql:/bin/sh',
  'nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin',
  'nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin',
];
const GROUPS = ['root:x:0:', 'postgres:x:999:', 'nogroup:x:65534:', 'nonroot:x:65532:'];

/** What every image has: users, name lookup, a folder for temporary files, certificates where this machine has them. */
export function base(): Entry[] {
  const text = (path: string, lines: readonly string[]): Entry => ({
    kind: 'text',
    path,
    text: `${lines.join('\n')}\n`,
  });
  return [
    ...MERGED_USR,
    text('/etc/passwd', USERS),
    text('/etc/group', GROUPS),
    text('/etc/nsswitch.conf', ['passwd: files', 'group: files', 'hosts: files dns']),
    { kind: 'folder', path: '/tmp', mode: 0o1777 },
    { kind: 'folder', path: '/home/nonroot' },
    ...(existsSync(CERTIFICATES) ? [file(CERTIFICATES, CERTIFICATES)] : []),
  ];
}
