// As a process of its own: what ends a process cannot be tried out in the one that runs the tests.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const run = (first: string) =>
  spawnSync(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `import { keepRunning } from ${JSON.stringify(join(import.meta.dirname, 'lastresort.ts'))};
       const log = { error: ({ err, origin }, text) => console.log(origin, err.message, text) };
       ${first}
       Promise.reject(new Error('nobody awaits me'));
       setTimeout(() => { throw new Error('thrown in a timer'); }, 1);
       setTimeout(() => console.log('still here'), 50);`,
    ],
    { encoding: 'utf8' },
  );

test('an error that nobody caught is logged, and the process goes on', () => {
  const { status, stdout } = run('keepRunning(log);');
  expect(stdout).toMatch(/unhandledRejection nobody awaits me/);
  expect(stdout).toMatch(/uncaughtException thrown in a timer/);
  expect(stdout).toMatch(/still here/);
  expect(status).toBe(0);
});

test('without it the process would have ended', () => {
  expect(run('')).toMatchObject({ status: 1, stdout: '' });
});
