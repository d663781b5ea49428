// With real processes: the signal's default would end them too, so it is the exit code that tells who did it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

const MODULE = join(import.meta.dirname, 'termination.ts');

/** Runs a script that says "up", sends the signal then, and gives its exit code and what it said. */
async function endedBy(script: string, signal: NodeJS.Signals) {
  const source = `import { askedToEnd, heedTermination } from ${JSON.stringify(MODULE)};\n${script}`;
  const args = ['--input-type=module', '--eval', source];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.on('data', (chunk) => {
    said += chunk;
    if (said === 'up\n') child.kill(signal);
  });
  const [code] = await once(child, 'close');
  return { code, said };
}

test.each([
  ['SIGTERM', 143],
  ['SIGINT', 130],
] as const)('%s while starting ends the process at once', async (signal, code) => {
  const script = "heedTermination(); setInterval(() => {}, 1000); console.log('up');";
  expect(await endedBy(script, signal)).toEqual({ code, said: 'up\n' });
});

test('a role that has started ends itself, in its own time', async () => {
  const script = `heedTermination(); const asked = askedToEnd(); setInterval(() => {}, 1000); console.log('up');
    console.log(await asked); process.exit(0);`;
  expect(await endedBy(script, 'SIGTERM')).toEqual({ code: 0, said: 'up\nSIGTERM\n' });
});
