// `make test`: checks, then the levels of tests, each counted; the last line is "N passed, N failed".
// Arguments choose levels: `node e2e/run-tests.ts unit integration`; `scenarios` runs only when it is named, and of it what
// ONLY names.
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onlyThose, SCENARIO } from './scenarios/only.ts';

interface Count {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

const CHECKS: readonly (readonly [string, ...string[]])[] = [
  ['node_modules/.bin/biome', 'check', '.'],
  ['node_modules/.bin/tsc', '--noEmit'],
  [process.execPath, 'resources/generate.ts', '--check'],
];

/** jest, and the roles that tests start by the hundred, need not be compiled anew each time. */
const COMPILED = join(import.meta.dirname, '../node_modules/.cache/compiled');

function run(command: string, args: readonly string[]): boolean {
  const env = { NODE_COMPILE_CACHE: COMPILED, ...process.env };
  return spawnSync(command, args, { env, stdio: ['ignore', 'inherit', 'inherit'] }).status === 0;
}

function checks(): Count {
  const results = CHECKS.map(([command, ...args]) => run(command, args));
  const passed = results.filter(Boolean).length;
  return { passed, failed: results.length - passed, skipped: 0 };
}

/**
 * Runs one jest project; a run that ends without a report counts as one failure.
 * @param files these alone; none: all of the project
 */
function jest(level: string, files: readonly string[] = []): Count {
  const folder = mkdtempSync(join(tmpdir(), 'postfleet-test-'));
  const report = join(folder, 'report.json');
  // Those on a cluster share it, so their files run one after the other.
  const workers = level === 'e2e' || level === 'scenarios' ? '1' : '2';
  const ok = run(process.execPath, [
    '--experimental-vm-modules',
    '--disable-warning=ExperimentalWarning',
    'node_modules/jest/bin/jest.js',
    // Before the options: --selectProjects would take them for projects.
    ...files,
    ...['--selectProjects', level, '--maxWorkers', workers, '--json', '--outputFile', report, '--forceExit'],
  ]);
  const read = existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')) : null;
  rmSync(folder, { recursive: true });
  if (!read) return { passed: 0, failed: 1, skipped: 0 };
  const failedSuites = read.numRuntimeErrorTestSuites as number;
  const failed = (read.numFailedTests as number) + failedSuites;
  return {
    passed: read.numPassedTests,
    failed: failed === 0 && !ok ? 1 : failed,
    skipped: read.numPendingTests,
  };
}

const wanted = process.argv.slice(2);

/** Before anything runs: a name that is none must not cost an hour. */
function chosenScenarios(): readonly string[] {
  try {
    return onlyThose(globSync(`e2e/**/*${SCENARIO}`), process.env.ONLY);
  } catch (error) {
    console.error((error as Error).message);
    process.exit(2);
  }
}

const scenarios = wanted.includes('scenarios') ? chosenScenarios() : [];
const LEVELS: Record<string, () => Count> = {
  checks,
  unit: () => jest('unit'),
  integration: () => jest('integration'),
  e2e: () => jest('e2e'),
  scenarios: () => jest('scenarios', scenarios),
};
const ALWAYS = ['checks', 'unit', 'integration', 'e2e'];

const unknown = wanted.filter((level) => !(level in LEVELS));
if (unknown.length) {
  console.error(`unknown level ${unknown.join(', ')}: choose of ${Object.keys(LEVELS).join(', ')}`);
  process.exit(2);
}
const lines: string[] = [];
const total = { passed: 0, failed: 0, skipped: 0 };
for (const level of wanted.length ? wanted : ALWAYS) {
  const started = performance.now();
  const count = (LEVELS[level] as () => Count)();
  total.passed += count.passed;
  total.failed += count.failed;
  total.skipped += count.skipped;
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  lines.push(
    `${level.padEnd(12)} ${count.passed} ok, ${count.failed} not ok, ${count.skipped} skipped, ${seconds} s`,
  );
}
console.log(`\n${lines.join('\n')}\n`);
console.log(
  `${total.passed} passed, ${total.failed} failed${total.skipped ? `, ${total.skipped} skipped` : ''}`,
);
process.exit(total.failed ? 1 : 0);
