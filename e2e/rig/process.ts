// A child process of a test: output kept for the error message, ended by pid and waited for.
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** Where `make tools` puts the programs. */
export const binFolder = (): string =>
  join(process.env.POSTFLEET_CACHE ?? join(homedir(), '.cache', 'postfleet'), 'bin');

export class Child {
  readonly process: ChildProcess;
  readonly name: string;
  #output = '';
  readonly exited: Promise<number | null>;

  constructor(command: string, args: readonly string[], options: SpawnOptions & { name?: string } = {}) {
    this.name = options.name ?? command;
    this.process = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    const keep = (chunk: Buffer) => {
      this.#output = (this.#output + chunk.toString()).slice(-50_000);
    };
    this.process.stdout?.on('data', keep);
    this.process.stderr?.on('data', keep);
    this.exited = new Promise((resolve) => this.process.once('exit', resolve));
    this.process.once('error', (error) => keep(Buffer.from(String(error))));
  }

  get output(): string {
    return this.#output;
  }

  get running(): boolean {
    return (
      this.process.exitCode === null && this.process.signalCode === null && this.process.pid !== undefined
    );
  }

  /** Sends the signal, waits, and kills what has not ended within `graceMs`. */
  async stop(signal: NodeJS.Signals = 'SIGTERM', graceMs = 10_000): Promise<void> {
    if (!this.running) return;
    this.process.kill(signal);
    const late = setTimeout(() => this.process.kill('SIGKILL'), graceMs);
    await this.exited;
    clearTimeout(late);
  }
}

/** Waits until `check` gives something truthy; fails with `what` (and the last error) after `timeoutMs`. */
export async function until<T>(
  what: string,
  check: () => T | Promise<T>,
  timeoutMs = 15_000,
): Promise<NonNullable<T>> {
  const end = performance.now() + timeoutMs;
  let last: unknown;
  while (performance.now() < end) {
    try {
      const value = await check();
      if (value) return value as NonNullable<T>;
    } catch (error) {
      last = error;
    }
    await delay(25);
  }
  throw new Error(`waited ${timeoutMs} ms for ${what}${last ? `: ${(last as Error).message}` : ''}`);
}
