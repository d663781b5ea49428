import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { log } from '../../process/log.ts';
import { SteadyClock } from '../../process/steady.ts';
import { keepClock, keptMarks } from './kept-clock.ts';

const HOUR = 3_600_000;
const folder = mkdtempSync(join(tmpdir(), 'clock-'));
const file = join(folder, 'clock.json');
const clockAt = (wall: number) =>
  new SteadyClock(
    () => wall,
    () => 0,
  );
afterAll(() => rmSync(folder, { recursive: true }));

test('a process whose clock was put back goes on from where the last one was', () => {
  keepClock(folder, clockAt(10 * HOUR), log)();
  const next = clockAt(8 * HOUR);
  const stop = keepClock(folder, next, log);
  expect(next.now()).toBe(10 * HOUR);
  stop();
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ version: 1, now: 10 * HOUR, marks: true });
});

test.each(['', '{"version":2,"now":1}', '{"version":1,"now":"soon"}'])(
  '%j is as if nothing was there',
  (text) => {
    writeFileSync(file, text);
    const clock = clockAt(HOUR);
    keepClock(folder, clock, log)();
    expect(clock.now()).toBe(HOUR);
  },
);

test('a folder that takes nothing changes nothing', () => {
  const clock = clockAt(HOUR);
  keepClock(join(folder, 'missing'), clock, log)();
  expect(clock.now()).toBe(HOUR);
});

test('it tells a release that knows the marks of copies in doubt from the one before, which writes the time alone', () => {
  writeFileSync(file, JSON.stringify({ version: 1, now: 10 * HOUR }));
  expect(keptMarks(folder)).toBe(false);
  const stop = keepClock(folder, clockAt(11 * HOUR), log);
  expect(keptMarks(folder)).toBe(true);
  stop();
  expect(keptMarks(join(folder, 'missing'))).toBe(false);
});
