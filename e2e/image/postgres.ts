// PostgreSQL as Debian installed it here, with the shell and the small programs that start scripts need.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { cachedLayer, type Entry } from './layer.ts';
import { assemble, type Image } from './layout.ts';
import { base, libraries, programs, tree } from './system.ts';

const LIBRARY = '/usr/lib/postgresql';
const SMALL_PROGRAMS = [
  ...[
    '[',
    'basename',
    'cat',
    'chmod',
    'chown',
    'cp',
    'cut',
    'date',
    'dirname',
    'echo',
    'env',
    'false',
    'head',
    'id',
  ],
  ...[
    'install',
    'ln',
    'ls',
    'mkdir',
    'mktemp',
    'mv',
    'printf',
    'pwd',
    'readlink',
    'rm',
    'rmdir',
    'sleep',
    'sort',
  ],
  ...[
    'stat',
    'sync',
    'tail',
    'tee',
    'test',
    'touch',
    'tr',
    'true',
    'wc',
    'whoami',
    'grep',
    'sed',
    'dash',
    'sh',
  ],
];

/** Major version of the newest PostgreSQL that is installed. @throws Error when there is none */
function installedVersion(): string {
  const versions = existsSync(LIBRARY) ? readdirSync(LIBRARY).filter((name) => /^\d+$/.test(name)) : [];
  const newest = versions.sort((a, b) => Number(b) - Number(a))[0];
  if (!newest) throw new Error('PostgreSQL is not installed: run make tools');
  return newest;
}

/** Just-in-time compilation would bring 100 MB of LLVM along, and PostgreSQL does without when it is not there. */
const wanted = (path: string): boolean => !/llvmjit|^lib\/bitcode\//.test(path);

async function entries(version: string): Promise<Entry[]> {
  const own = tree(`${LIBRARY}/${version}`, `${LIBRARY}/${version}`, wanted);
  const loaded = own.flatMap((entry) => (entry.kind === 'file' ? [entry.source] : []));
  const small = SMALL_PROGRAMS.map((name) => `/usr/bin/${name}`).filter((path) => existsSync(path));
  return [
    ...base(),
    ...own,
    ...libraries(loaded.filter((path) => /\/bin\/|\.so/.test(path))),
    ...tree(
      `/usr/share/postgresql/${version}`,
      `/usr/share/postgresql/${version}`,
      (path) => !path.startsWith('man'),
    ),
    ...tree('/usr/share/zoneinfo', '/usr/share/zoneinfo', (path) => !/^(right|posix)\//.test(path)),
    ...tree('/usr/lib/locale/C.utf8', '/usr/lib/locale/C.utf8'),
    ...programs(small),
  ];
}

/** `docker.io/library/postgres:<major>`; the path of its programs is the official image's too. */
export async function postgresImage(): Promise<Image> {
  const version = installedVersion();
  const packages = execFileSync(`${LIBRARY}/${version}/bin/postgres`, ['--version']).toString();
  const key = createHash('sha256').update(`${packages} ${SMALL_PROGRAMS}`).digest('hex').slice(0, 16);
  const layer = await cachedLayer(`postgres-${version}-${key}`, () => entries(version));
  return assemble(`docker.io/library/postgres:${version}`, [layer], {
    entrypoint: [`${LIBRARY}/${version}/bin/postgres`],
    user: '999:999',
    path: `/usr/local/bin:${LIBRARY}/${version}/bin:/usr/bin:/bin`,
  });
}
