// With the library that pods load, when it is installed.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clockSettings, hasClock } from '../image/clock.ts';
import { until } from '../rig/process.ts';
import { clockText } from './clocks.ts';

const folder = mkdtempSync(join(tmpdir(), 'clock-'));
const file = join(folder, 'clock');
const SCRIPT = 'setInterval(() => console.log(Date.now() + " " + performance.now()), 50)';
let child: ChildProcess | undefined;

afterAll(async () => {
  if (child?.kill('SIGKILL')) await once(child, 'exit');
  rmSync(folder, { recursive: true });
});

test.each([
  [7200, '+7200\n'],
  [-60, '-60\n'],
])('%d s is %s', (seconds, text) => {
  expect(clockText(seconds)).toBe(text);
});

test('the time is the file’s, monotonic time is the machine’s', async () => {
  const settings = Object.fromEntries(clockSettings(file).map((one) => one.split('=') as [string, string]));
  expect(settings.FAKETIME_TIMESTAMP_FILE).toBe(file);
  if (!hasClock()) return;
  const program = spawn(process.execPath, ['-e', SCRIPT], { env: { ...process.env, ...settings } });
  child = program;
  let last: readonly number[] = [];
  let longestMs = 0;
  program.stdout.on('data', (chunk) => {
    const now = `${chunk}`.trim().split('\n').at(-1)?.split(' ').map(Number) ?? [];
    longestMs = Math.max(longestMs, Math.abs((now[1] ?? 0) - (last[1] ?? 0)));
    last = now;
  });
  const isAhead = (seconds: number) => () =>
    last.length === 2 && Math.abs((last[0] ?? 0) - Date.now() - seconds * 1000) < 30_000;
  await until('the right time', isAhead(0));
  for (const seconds of [3600, -3600]) {
    writeFileSync(file, clockText(seconds));
    await until(`a clock ${seconds} s ahead`, isAhead(seconds));
  }
  rmSync(file);
  await until('the right time again', isAhead(0));
  expect(longestMs).toBeLessThan(60_000);
}, 60_000);
