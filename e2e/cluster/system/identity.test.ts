import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { identify, isAlive, signal, startTicks } from './identity.ts';

const fields = (state: string) => `${state} 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20`;

test.each([
  ['a plain name', `42 (node) ${fields('S')}`, '4711'],
  ['a name with spaces and brackets', `42 (a) b (c) R 7) ${fields('R')}`, '4711'],
  ['a zombie', `42 (node) ${fields('Z')}`, undefined],
])('start time of %s', (_name, stat, expected) => {
  expect(startTicks(stat)).toBe(expected);
});

test('a process is known again, and nobody else under its number', async () => {
  const child = spawn('sleep', ['60']);
  const identity = identify(child.pid ?? 0);
  if (!identity) throw new Error('it runs');
  try {
    expect(isAlive(identity)).toBe(true);
    const impostors = [
      { ...identity, startTicks: '1' },
      { ...identity, boot: 'another' },
    ];
    for (const impostor of impostors) {
      expect(isAlive(impostor)).toBe(false);
      signal(impostor, 'SIGKILL');
    }
    expect(isAlive(identity)).toBe(true);
  } finally {
    signal(identity, 'SIGKILL');
  }
  const [, by] = await once(child, 'exit');
  expect(by).toBe('SIGKILL');
  expect(isAlive(identity)).toBe(false);
});
