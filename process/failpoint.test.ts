import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { armFailpoints, FAILPOINTS, FailpointError, failpoint } from './failpoint.ts';
import { SettingsError } from './settings.ts';

const ALLOWED = { POSTFLEET_ALLOW_FAILPOINTS: 'yes' };
const arm = (text: string) => armFailpoints({ ...ALLOWED, POSTFLEET_FAILPOINT: text });
afterEach(() => void armFailpoints({}));

test('nothing armed: nothing happens', () => {
  expect(armFailpoints(ALLOWED)).toEqual([]);
  expect(() => failpoint('delivery.pulled')).not.toThrow();
});

test.each([
  ['delivery.pulled', ['delivery.pulled:1:kill']],
  ['delivery.pulled:3', ['delivery.pulled:3:kill']],
  ['delivery.pulled:stop', ['delivery.pulled:1:stop']],
  ['delivery.pulled:2:error, spool.written', ['delivery.pulled:2:error', 'spool.written:1:kill']],
])('%s', (text, expected) => {
  expect(arm(text)).toEqual(expected);
});

test.each([
  'delivery.nowhere',
  'delivery.pulled:0',
  'delivery.pulled:1:explode',
  'delivery.pulled:1:kill:2',
  'toString',
])('%s is refused', (text) => {
  expect(() => arm(text)).toThrow(SettingsError);
  expect(() => failpoint('delivery.pulled')).not.toThrow();
});

test('refused where nobody has allowed it, and nothing is armed', () => {
  const env = { POSTFLEET_FAILPOINT: 'delivery.pulled:error' };
  expect(() => armFailpoints(env)).toThrow(/POSTFLEET_ALLOW_FAILPOINTS=yes/);
  expect(() => armFailpoints({ ...env, POSTFLEET_ALLOW_FAILPOINTS: '1' })).toThrow(SettingsError);
  expect(() => failpoint('delivery.pulled')).not.toThrow();
});

test('an error comes at the nth time, once', () => {
  arm('delivery.pulled:2:error');
  failpoint('delivery.pulled');
  failpoint('delivery.spooled');
  expect(() => failpoint('delivery.pulled')).toThrow(FailpointError);
  expect(() => failpoint('delivery.pulled')).not.toThrow();
});

test('kill ends the process at the very place, and says so', () => {
  const script = `import { armFailpoints, failpoint } from ${JSON.stringify(join(import.meta.dirname, 'failpoint.ts'))};
    armFailpoints(process.env); console.log('before'); failpoint('spool.written'); console.log('after');`;
  const { signal, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    env: { ...process.env, ...ALLOWED, POSTFLEET_FAILPOINT: 'spool.written' },
  });
  expect({ signal, stdout }).toEqual({ signal: 'SIGKILL', stdout: 'before\n' });
  expect(stderr).toContain('FAILPOINT spool.written reached');
});

test('every name says the role that it ends', () => {
  for (const name of Object.keys(FAILPOINTS))
    expect(name).toMatch(/^(ingress|delivery|spool|egress|operator)\.[a-z-]+$/);
});
