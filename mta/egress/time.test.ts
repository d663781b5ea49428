import { SharedTime } from './time.ts';

const HOUR = 3_600_000;
const START = Date.UTC(2026, 0, 1);

function world({ machineOff = 0, tookMs = 0 } = {}) {
  const state = { passed: 0, natsOff: 0, tookMs, isAway: false };
  const told: boolean[] = [];
  const time = new SharedTime({
    ask: async () => {
      if (state.isAway) throw new Error('NATS: disconnected');
      state.passed += state.tookMs / 2;
      const there = START + state.passed + state.natsOff;
      state.passed += state.tookMs / 2;
      return there;
    },
    monotonic: () => state.passed,
    machine: () => START + state.passed + machineOff,
    onOff: (_, isFar) => told.push(isFar),
  });
  return { state, told, time, right: () => START + state.passed };
}

test.each([HOUR, -HOUR, 400 * 24 * HOUR])(
  'it is NATS’ time, whatever the machine says: %d off',
  async (machineOff) => {
    const { state, time, told, right } = world({ machineOff, tookMs: 80 });
    await time.known();
    expect(time.now()).toBe(right());
    state.passed += HOUR;
    expect(time.now()).toBe(right());
    expect(told).toEqual([true]);
  },
);

test('a machine whose clock is right is not spoken of', async () => {
  const { time, told } = world({ machineOff: 300 });
  await time.known();
  expect(told).toEqual([]);
});

test('a leader of NATS whose clock is an hour ahead is neared, not followed', async () => {
  const { state, time, right } = world();
  await time.known();
  state.natsOff = HOUR;
  state.passed += 60_000;
  await time.look();
  state.passed += 60_000;
  expect(time.now() - right()).toBeLessThanOrEqual(6_000);
  state.natsOff = 0;
  await time.look();
  state.passed += 5 * 60_000;
  expect(time.now()).toBe(right());
});

test('it is not known before NATS has said it in time, and goes on without NATS', async () => {
  const { state, time, right } = world({ machineOff: HOUR });
  state.isAway = true;
  await expect(time.known()).rejects.toThrow('disconnected');
  state.isAway = false;
  state.tookMs = 6_000;
  await expect(time.known()).rejects.toThrow('6000 ms');
  state.tookMs = 0;
  await time.known();
  state.isAway = true;
  state.passed += 5 * HOUR;
  await time.known();
  expect(time.now()).toBe(right());
});
