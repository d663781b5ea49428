// As the first process of a PID namespace, which a container's process is: no signal that it sends itself ends it.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

test('the first process of a container is ended as well', () => {
  const script = `import { armFailpoints, failpoint } from ${JSON.stringify(join(import.meta.dirname, 'failpoint.ts'))};
    armFailpoints(process.env); console.log('process', process.pid); failpoint('spool.written'); console.log('after');`;
  const node = [process.execPath, '--input-type=module', '-e', script];
  const { status, signal, stdout, stderr } = spawnSync('unshare', ['--pid', '--fork', ...node], {
    encoding: 'utf8',
    env: { ...process.env, POSTFLEET_ALLOW_FAILPOINTS: 'yes', POSTFLEET_FAILPOINT: 'spool.written' },
  });
  expect(stdout).toBe('process 1\n');
  expect(stderr).toContain('FAILPOINT spool.written reached');
  expect([status, signal]).not.toEqual([0, null]);
});
