// `make tools`: gives this machine what it lacks. `node e2e/tools/main.ts [bench]`
import { ensurePrograms } from './build.ts';
import { ensurePackages } from './packages.ts';
import { BENCH_PACKAGES, PACKAGES, PROGRAMS } from './versions.ts';

try {
  ensurePackages(process.argv[2] === 'bench' ? [...PACKAGES, ...BENCH_PACKAGES] : PACKAGES);
  await ensurePrograms(PROGRAMS);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
