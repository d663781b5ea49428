// Short commands of the machine, with their own words in the error.
import { type ExecFileException, execFile } from 'node:child_process';

export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly output: string;
  constructor(command: string, output: string, cause: unknown) {
    super(`${command}: ${output.trim() || String(cause)}`, { cause });
    this.output = output;
  }
}

export interface RunOptions {
  readonly input?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly timeoutMs?: number;
}

/** Runs a program to its end. @returns its standard output @throws CommandError with its standard error */
export function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { input, env, timeoutMs = 0 } = options;
  return new Promise((resolve, reject) => {
    const done = (error: ExecFileException | null, stdout: string, stderr: string) =>
      error
        ? reject(new CommandError([program, ...args].join(' '), stderr || stdout, error))
        : resolve(stdout);
    const child = execFile(program, [...args], { env, timeout: timeoutMs, maxBuffer: 1 << 28 }, done);
    child.stdin?.on('error', () => {}); // it ended without reading: its exit code tells
    child.stdin?.end(input ?? '');
  });
}
