import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { lineOf } from './breakpoint.ts';

const FAILPOINT = join(import.meta.dirname, '../../process/failpoint.ts');

test('the body of failpoint() is found', () => {
  const source = readFileSync(FAILPOINT, 'utf8');
  expect(source.split('\n')[lineOf(source)]).toMatch(/^ {2}if \(armed/);
  expect(() => lineOf('')).toThrow('failpoint');
});

test('a process that knows nothing of it ends at the place, at that time, and at no other', async () => {
  const script = `const { failpoint } = await import(${JSON.stringify(FAILPOINT)});
    setInterval(() => { failpoint('delivery.pulled'); failpoint('spool.written'); process.stdout.write('.'); }, 20)`;
  const victim = spawn(process.execPath, ['--input-type=module', '-e', script]);
  await once(victim.stdout, 'data');
  victim.kill('SIGUSR1');
  for await (const text of victim.stderr) if (`${text}`.includes('listening')) break;
  const program = join(import.meta.dirname, 'inspect.ts');
  const inspector = spawn(process.execPath, [program, String(victim.pid), 'spool.written', '3']);
  const [[, signal]] = await Promise.all([once(victim, 'exit'), once(inspector, 'exit')]);
  expect(signal).toBe('SIGKILL');
}, 20_000);
