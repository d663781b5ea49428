// A child process of a test: output kept for the error message, ended by pid and waited for.
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** Where `make tools` puts the programs. */
export const binFolder = (): string =>
  join(process.env.POSTFLEET_CACHE ?? join(homedir(), '.cache', 'postfleet'), 'bin');

/** What every child has of our own environment: where Node keeps what it has compiled, so that it starts with less work. */
function inherited(): NodeJS.ProcessEnv {
  const { NODE_COMPILE_CACHE } = process.env;
  return NODE_COMPILE_CACHE === undefined ? {} : { NODE_COMPILE_CACHE };
}

export class Child {
  readonly process: ChildProcess;
  readonly name: string;
  #output = '';
  readonly exited: Promise<number | null>;

  constructor(command: string, args: readonly string[], options: SpawnOptions & { name?: string } = {}) {
    this.name = options.name ?? command;
    const env = options.env && { ...inherited(), ...options.env };
    this.process = spawn(command, args, {
      ...options,
      ...(env && { env }),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
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

/** A look may cost a handshake, and what is waited for needs the machine too. */
const LEAST_PAUSE_MS = 25;
const MOST_PAUSE_MS = 100;
const PAUSE_OF_WAITED = 0.04;

/**
 * Waits until `check` gives something truthy; fails with `what` (and the last error) after `timeoutMs`. Looks less often the longer it
 * has waited, ten times a second at least.
 */
export async function until<T>(
  what: string,
  check: () => T | Promise<T>,
  timeoutMs = 15_000,
): Promise<NonNullable<T>> {
  const began = performance.now();
  let last: unknown;
  for (let waited = 0; waited < timeoutMs; waited = performance.now() - began) {
    try {
      const value = await check();
      if (value) return value as NonNullable<T>;
    } catch (error) {
      last = error;
    }
    await delay(Math.min(MOST_PAUSE_MS, Math.max(LEAST_PAUSE_MS, waited * PAUSE_OF_WAITED)));
  }
  throw new Error(`waited ${timeoutMs} ms for ${what}${last ? `: ${(last as Error).message}` : ''}`);
}
