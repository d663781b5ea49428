import { broughtUpPresence } from './bringup.ts';

const LINK = { name: 'eth0', mac: '02:00:00:00:00:01' };

/** A machine whose ip(8) takes `slow` ms for its next calls. */
function machine() {
  const world = {
    now: 0,
    slow: [] as number[],
    lines: [] as string[],
    told: 0,
    link: LINK as typeof LINK | null,
  };
  const presence = broughtUpPresence('198.51.100.7', 'interface eth0', {
    links: {
      run: async (line, withinMs) => {
        world.now += withinMs;
        world.lines.push(line());
        world.now += world.slow.shift() ?? 5;
      },
    },
    link: () => world.link,
    announce: async () => void world.told++,
    now: () => world.now,
    later: () => {},
    warn: () => {},
  });
  return { world, presence };
}
const lifetimes = (lines: readonly string[]) =>
  lines.map((line) => Number(/valid_lft (\d+)/.exec(line)?.[1]));

test('the first time it is announced; a renewal waits for company, which comes off its lifetime', async () => {
  const { world, presence } = machine();
  await presence.raise(9000);
  await presence.raise(9000);
  expect(lifetimes(world.lines)).toEqual([8, 7]);
  expect(world.told).toBe(1);
  await presence.lower();
  await presence.raise(9000);
  expect([world.lines[2], world.told]).toEqual(['address del 198.51.100.7/32 dev eth0', 2]);
});

test('a lifetime that was set late is set again, shorter', async () => {
  const { world, presence } = machine();
  world.slow = [3000, 5];
  await presence.raise(9000);
  expect(lifetimes(world.lines)).toEqual([8, 5]);
});

test('without the interface it is not brought up, and the obstacle says which', async () => {
  const { world, presence } = machine();
  world.link = null;
  expect(presence.obstacle()).toBe('this machine has no interface eth0');
  await expect(presence.raise(9000)).rejects.toThrow('no interface eth0');
  expect(world.lines).toEqual([]);
});
