// A hold over a time by hand.
import { LONGEST_CONNECTION_MS } from '../bus/connect.ts';
import { Hold } from './held.ts';
import { holder, Time } from './keeper.fixture.ts';

const held = (renewals = 0) => ({
  record: {
    ...({ version: 1, address: '198.51.100.10', ipPool: 'mail/ips', holder: holder('a') } as const),
    ...{ epoch: 7, renewals },
  },
  revision: renewals + 1,
  confirmedMs: 0,
});

function newHold() {
  const time = new Time();
  const ends: number[] = [];
  const hold = new Hold(time, () => ends.push(time.ms));
  return { time, ends, hold };
}

test('nothing is held or carried before it begins', () => {
  const { hold } = newHold();
  expect([hold.epoch, hold.mayCarry, hold.held]).toEqual([null, false, null]);
});

test('it has ended at its end, whether or not a timer has run', () => {
  const { time, ends, hold } = newHold();
  hold.begin(held(), 1000);
  expect([hold.epoch, hold.mayCarry]).toEqual([7, true]);
  time.ms = 1000; // the process was paused
  expect([hold.epoch, hold.mayCarry, ends]).toEqual([null, false, []]);
});

test('its end is told once, at the last time that it was extended to', async () => {
  const { time, ends, hold } = newHold();
  hold.begin(held(), 1000);
  await time.pass(500);
  hold.extend(held(1), 1500);
  await time.pass(2000);
  expect(ends).toEqual([1500]);
});

test('a corrected record leaves the end where it was', async () => {
  const { time, ends, hold } = newHold();
  hold.begin(held(), 1000);
  hold.correct(held(5));
  expect(hold.held?.revision).toBe(6);
  await time.pass(1000);
  expect(ends).toEqual([1000]);
});

test.each([
  ['closed', false],
  ['handed over', true],
] as const)('after it was %s its connections carry on: %s, and no end is told', async (end, carries) => {
  const { time, ends, hold } = newHold();
  hold.begin(held(), 1000);
  expect(hold.drop(end)).toBe(true);
  expect(hold.drop(end)).toBe(false);
  await time.pass(2000);
  expect([hold.epoch, hold.mayCarry, ends]).toEqual([null, carries, []]);
});

test('one without an end, and whom it has outlived', () => {
  const { time, hold } = newHold();
  hold.begin(held(), Number.POSITIVE_INFINITY);
  time.ms = LONGEST_CONNECTION_MS;
  expect([hold.epoch, hold.hasOutlivedAll]).toEqual([7, false]);
  time.ms++;
  expect([hold.epoch, hold.hasOutlivedAll]).toEqual([7, true]);
});
