import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withLock } from './lock.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'postfleet-lock-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Whether somebody holds it: flock(1) without waiting is refused then. */
const isHeld = (file: string): boolean => spawnSync('flock', ['--nonblock', file, 'true']).status === 1;

test('it is held for as long as the work takes, and an error lets go', async () => {
  const file = join(folder, 'one');
  const work = withLock(file, async () => {
    expect(isHeld(file)).toBe(true);
    throw new Error('broken');
  });
  await expect(work).rejects.toThrow('broken');
  expect(isHeld(file)).toBe(false);
  expect(await withLock(file, async () => 'next')).toBe('next');
});

test('a holder that is killed lets go', async () => {
  const file = join(folder, 'two');
  const module = join(import.meta.dirname, 'lock.ts');
  const script = `const { withLock } = await import(${JSON.stringify(module)});
    await withLock(${JSON.stringify(file)}, () => { console.log('held'); return new Promise(() => setInterval(() => {}, 1e6)); });`;
  const holder = spawn(process.execPath, ['--input-type=module', '-e', script]);
  await once(holder.stdout, 'data');
  expect(isHeld(file)).toBe(true);
  const waiting = withLock(file, async () => 'entered');
  holder.kill('SIGKILL');
  expect(await waiting).toBe('entered');
});
