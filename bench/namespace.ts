// A network of the bench's own: 20 mail hosts on port 25 of loopback addresses meet nobody else there, and mail cannot leave.
import { spawnSync } from 'node:child_process';

const MARK = 'POSTFLEET_BENCH_NETWORK';

/** Runs this program again in a fresh network namespace and ends with its exit code; does nothing inside of it. */
export function enterOwnNetwork(): void {
  if (process.env[MARK] === 'own') return;
  if (process.getuid?.() !== 0)
    throw new Error('the bench makes a network namespace and needs root: sudo make bench');
  const program = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const { status, error } = spawnSync(
    'unshare',
    ['-n', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh', ...program],
    { stdio: 'inherit', env: { POSTFLEET_LOG_LEVEL: 'error', ...process.env, [MARK]: 'own' } },
  );
  if (error) throw error;
  process.exit(status ?? 1);
}
