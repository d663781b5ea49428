// One holder at a time, over all processes of this machine. The kernel lets go when the holder dies, however it dies.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Runs `work` while holding the lock file; waits for as long as another process holds it.
 * flock(1) holds it in a child that ends when its standard input closes, so a killed parent never leaves it locked.
 */
export async function withLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  await mkdir(dirname(file), { recursive: true });
  const holder = spawn('flock', ['--exclusive', file, 'sh', '-c', 'echo locked; exec cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true, // Ctrl-C goes to the whole group; the lock must outlast our own cleaning up
  });
  const ended = once(holder, 'exit');
  ended.catch(() => {}); // flock is missing: said below
  const first = await Promise.race([once(holder.stdout, 'data'), ended]);
  if (!Buffer.isBuffer(first[0])) throw new Error(`flock could not lock ${file}`);
  try {
    return await work();
  } finally {
    holder.stdin.end();
    await ended;
  }
}
