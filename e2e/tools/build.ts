// Go programs, built once per version into the cache: to a temporary folder first, then renamed, so that a file under its
// final name is always a whole one; under a lock, so that two checkouts do not build the same thing twice.
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { binFolder } from './cache.ts';
import { withLock } from './lock.ts';
import type { Program } from './versions.ts';

const OWN_MODULE = join(import.meta.dirname, '..', 'cluster', 'go');

/** Digest of our own Go sources: they have no version, and must be built again when they change. */
function ownDigest(path: string): string {
  const folder = join(OWN_MODULE, path);
  const files = [...readdirSync(folder).map((file) => join(folder, file)), join(OWN_MODULE, 'go.mod')];
  const hash = createHash('sha256');
  for (const file of files.sort()) hash.update(readFileSync(file));
  return hash.digest('hex').slice(0, 8);
}

/** The name of the built file: `nats-server-2.15.2`, or with a digest for our own sources. */
export function fileName(program: Program): string {
  const digest = program.source.kind === 'own' ? `-${ownDigest(program.source.path)}` : '';
  return `${program.name}-${program.version}${digest}`;
}

function requireGo(): void {
  const found = spawnSync('go', ['env', 'GOVERSION'], { cwd: '/' });
  const version = /^go1\.(\d+)/.exec(found.stdout?.toString() ?? '');
  // From 1.21 on, Go fetches the newer toolchain that a module asks for.
  if (!version || Number(version[1]) < 21) {
    throw new Error(
      'Go is missing (1.26, or any from 1.21 on that may fetch it): see https://go.dev/doc/install',
    );
  }
}

function goBuild(program: Program, folder: string): string {
  const flags = [
    '-trimpath',
    '-buildvcs=false',
    '-ldflags',
    ['-s -w', program.ldflags ?? ''].join(' ').trim(),
  ];
  const env = { ...process.env, CGO_ENABLED: '0', GOBIN: folder };
  const { source } = program;
  if (source.kind === 'own') {
    const out = join(folder, program.name);
    execFileSync('go', ['build', ...flags, '-o', out, source.path], {
      cwd: OWN_MODULE,
      env,
      stdio: 'inherit',
    });
    return out;
  }
  execFileSync('go', ['install', ...flags, `${source.path}@v${program.version}`], {
    cwd: '/',
    env,
    stdio: 'inherit',
  });
  return join(folder, readdirSync(folder)[0] ?? program.name);
}

function link(name: string, target: string): void {
  const path = join(binFolder(), name);
  if (target === currentTarget(path)) return;
  const fresh = `${path}.${process.pid}`;
  symlinkSync(target, fresh);
  renameSync(fresh, path);
}

function currentTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined; // absent, or not a link
  }
}

function build(program: Program, file: string): void {
  process.stdout.write(`building ${file} (once; Kubernetes takes about ten minutes on two cores)\n`);
  const folder = mkdtempSync(join(binFolder(), '.building-'));
  try {
    renameSync(goBuild(program, folder), join(binFolder(), file));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Sees to it that all programs are in the cache under their names. Milliseconds when they are. */
export async function ensurePrograms(programs: readonly Program[]): Promise<void> {
  mkdirSync(binFolder(), { recursive: true });
  const there = (program: Program) =>
    existsSync(join(binFolder(), fileName(program))) &&
    [program.name, ...(program.links ?? [])].every(
      (name) => currentTarget(join(binFolder(), name)) === fileName(program),
    );
  if (programs.every(there)) return;
  await withLock(join(binFolder(), '.lock'), async () => {
    for (const program of programs) {
      const file = fileName(program);
      if (!existsSync(join(binFolder(), file))) {
        requireGo();
        build(program, file);
      }
      for (const name of [program.name, ...(program.links ?? [])]) link(name, file);
    }
  });
}
