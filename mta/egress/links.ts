// Changes of interfaces, by ip(8): Node cannot speak netlink. Lines of about the same time go to one process, so that renewing two
// hundred addresses costs a few a second, not two hundred.
import { spawn } from 'node:child_process';

const TIMEOUT_MS = 5_000;
/** Containers may have no PATH. */
export const SYSTEM_PATH = '/usr/sbin:/usr/bin:/sbin:/bin';

export interface Links {
  /**
   * One line as `ip -batch` takes it, asked for when it is handed over, within `withinMs`: others may come along. Rejects with ip's own
   * words.
   */
  run(line: () => string, withinMs: number): Promise<void>;
}

interface Waiting {
  readonly line: () => string;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export function ipLinks(): Links {
  let waiting: Waiting[] = [];
  let last: Promise<void> = Promise.resolve();
  let due = Number.POSITIVE_INFINITY;
  let timer: NodeJS.Timeout | undefined;
  const flush = () => {
    const batch = waiting;
    waiting = [];
    due = Number.POSITIVE_INFINITY;
    // One after the other: the last word on an address must be the last that was said.
    last = last.then(() => settle(batch));
  };
  return {
    run: (line, withinMs) =>
      new Promise((resolve, reject) => {
        waiting.push({ line, resolve, reject });
        const at = performance.now() + withinMs;
        if (at >= due) return;
        due = at;
        clearTimeout(timer);
        timer = setTimeout(flush, withinMs);
      }),
  };
}

async function settle(batch: readonly Waiting[]): Promise<void> {
  const lines = batch.map(({ line }) => line());
  const { stderr, code, failure } = await execute(lines);
  const { faults, last } = faultsOf(stderr);
  // It gave up somewhere, and nobody knows which lines were done.
  const gaveUp =
    failure ?? (code === 0 || (code === 1 && last === '') ? undefined : last || `ended with ${code}`);
  batch.forEach(({ resolve, reject }, i) => {
    const why = gaveUp ?? faults.get(i + 1);
    if (why === undefined) resolve();
    else reject(new Error(`ip ${lines[i]}: ${why}`));
  });
}

/**
 * From what ip says, by line of the batch: the message stands before `Command failed -:2`. `last` is what no line is named for: ip
 * ends at a line that it cannot read. Pure.
 */
export function faultsOf(stderr: string): { faults: Map<number, string>; last: string } {
  const faults = new Map<number, string>();
  let said: string[] = [];
  const words = () => said.filter(Boolean).join(' ');
  for (const text of stderr.split('\n')) {
    const [, line] = /^Command failed -:(\d+)/.exec(text) ?? [];
    if (line === undefined) said.push(text.trim());
    else {
      faults.set(Number(line), words() || 'failed');
      said = [];
    }
  }
  return { faults, last: words() };
}

interface Outcome {
  readonly stderr: string;
  readonly code: number | null;
  readonly failure?: string;
}

function execute(lines: readonly string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn('ip', ['-force', '-batch', '-'], {
      stdio: ['pipe', 'ignore', 'pipe'],
      env: { PATH: SYSTEM_PATH },
      timeout: TIMEOUT_MS,
      killSignal: 'SIGKILL',
    });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.once('error', (error) => resolve({ stderr, code: null, failure: error.message }));
    child.once('close', (code) => resolve({ stderr, code }));
    child.stdin.on('error', () => {});
    child.stdin.end(`${lines.join('\n')}\n`);
  });
}
