import fc from 'fast-check';
import { SteadyClock } from './steady.ts';

const HOUR = 3_600_000;
const START = Date.UTC(2026, 0, 1);

function world() {
  let [wall, monotonic] = [START, 0];
  const clock = new SteadyClock(
    () => wall,
    () => monotonic,
  );
  const pass = (ms: number) => {
    wall += ms;
    monotonic += ms;
  };
  const jump = (ms: number) => {
    wall += ms;
  };
  return { clock, pass, jump, wall: () => wall };
}

test('a clock that does not jump is the machine’s', () => {
  const { clock, pass, wall } = world();
  for (const ms of [1, 50, 1000, HOUR]) {
    pass(ms);
    expect(clock.now()).toBe(wall());
  }
});

test.each([3 * HOUR, -3 * HOUR])('a jump of %d ms is no jump, and is made good in time', (jumped) => {
  const { clock, pass, jump, wall } = world();
  jump(jumped);
  expect(clock.now()).toBe(START);
  pass(60_000);
  expect(Math.abs(clock.now() - START - 60_000)).toBeLessThanOrEqual(3001);
  for (let hours = 0; hours < 61; hours++) {
    pass(HOUR);
    clock.now();
  }
  expect(clock.now()).toBe(wall());
});

test('there and back again: as if nothing had been', () => {
  const { clock, pass, jump } = world();
  jump(2 * HOUR);
  pass(30_000);
  clock.now();
  jump(-2 * HOUR);
  pass(30_000);
  expect(Math.abs(clock.now() - START - 60_000)).toBeLessThanOrEqual(1);
});

test.each([-40 * 365 * 24, 48])('a clock that is set anew by %d hours is taken at once', (hours) => {
  const { clock, jump, wall } = world();
  jump(hours * HOUR);
  expect(clock.now()).toBe(wall());
});

test('it may be asked without itself, like other clocks', () => {
  const { now } = world().clock;
  expect(now()).toBe(START);
});

test('it goes on from where the last process was', () => {
  const { clock } = world();
  clock.notBefore(START - HOUR);
  expect(clock.now()).toBe(START);
  clock.notBefore(START + HOUR);
  expect(clock.now()).toBe(START + HOUR);
});

test('whatever the machine’s clock does, no wait is a tenth longer or shorter than it should be', () => {
  const steps = fc.array(
    fc.record({ passes: fc.integer({ min: 0, max: 60_000 }), jumps: fc.integer({ min: -HOUR, max: HOUR }) }),
  );
  fc.assert(
    fc.property(steps, (all) => {
      const { clock, pass, jump } = world();
      for (const { passes, jumps } of all) {
        const before = clock.now();
        jump(jumps);
        pass(passes);
        const waited = clock.now() - before;
        expect(waited).toBeGreaterThanOrEqual(Math.floor(passes * 0.95) - 1);
        expect(waited).toBeLessThanOrEqual(Math.ceil(passes * 1.05) + 1);
      }
    }),
  );
});
