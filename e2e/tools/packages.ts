// Debian packages: what is missing is installed as root, without starting any server; elsewhere it is named.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Package } from './versions.ts';

/** Names of the packages that dpkg-query's output (`<status> <package>` per line) does not list as installed. Pure. */
export function notInstalled(dpkgOutput: string, wanted: readonly Package[]): string[] {
  const installed = new Set(
    dpkgOutput
      .split('\n')
      .filter((line) => line.startsWith('installed '))
      .map((line) => line.split(' ')[1]),
  );
  return wanted.map((each) => each.debian).filter((name) => !installed.has(name));
}

function onPath(program: string): boolean {
  if (program.startsWith('/')) return existsSync(program);
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return folders.some((folder) => existsSync(join(folder, program)));
}

function hasDpkg(): boolean {
  return onPath('dpkg-query') && onPath('apt-get');
}

/** Names of the packages that this machine lacks: by dpkg where there is one, else by their programs. */
export function missingPackages(wanted: readonly Package[]): string[] {
  if (!hasDpkg()) return wanted.filter((each) => !onPath(each.provides)).map((each) => each.debian);
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own placeholders
  const format = '${db:Status-Status} ${Package}\\n';
  const asked = spawnSync('dpkg-query', ['-W', '-f', format, ...wanted.map((each) => each.debian)]);
  return notInstalled(asked.stdout.toString(), wanted);
}

const POLICY = '/usr/sbin/policy-rc.d';
const NO_MAIN_CLUSTER = '/etc/postgresql-common/createcluster.d/postfleet.conf';

/**
 * Installs with apt-get. Servers that packages would start on installation are kept from it by a policy for that time only
 * (invoke-rc.d asks it: 101 is "forbidden"), and PostgreSQL makes no cluster of its own.
 */
function install(missing: readonly string[]): void {
  const run = (...args: string[]) =>
    execFileSync('apt-get', args, {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    });
  const ownPolicy = !existsSync(POLICY);
  if (ownPolicy) writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    mkdirSync(join(NO_MAIN_CLUSTER, '..'), { recursive: true });
    writeFileSync(NO_MAIN_CLUSTER, 'create_main_cluster = false\n');
    run('update', '-q');
    run('install', '-qy', '--no-install-recommends', '-o', 'Dpkg::Options::=--force-confold', ...missing);
  } finally {
    if (ownPolicy) rmSync(POLICY, { force: true });
  }
}

/** Sees to it that the packages are there. @throws Error that names exactly what is missing and what would install it. */
export function ensurePackages(wanted: readonly Package[]): void {
  const missing = missingPackages(wanted);
  if (missing.length === 0) return;
  const names = missing.join(' ');
  if (!hasDpkg()) {
    throw new Error(
      `this machine lacks what Debian packages as: ${names}\nInstall them with its own package manager.`,
    );
  }
  if (process.getuid?.() !== 0) {
    throw new Error(
      `these Debian packages are missing: ${names}\nInstall them: sudo apt-get install ${names}`,
    );
  }
  process.stdout.write(`installing ${names}\n`);
  install(missing);
}
