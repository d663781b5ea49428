import { GRANT_SECONDS } from '../bus/connect.ts';
import type { HopId } from '../message/parcel.ts';
import type { Verdict } from './ports.ts';
import { Returns } from './returns.ts';

const id = (n: number) => `hop-${n}` as HopId;

const [OWN, OTHER, THIRD] = [{ address: '192.0.2.1' }, { address: '192.0.2.2' }, { address: '192.0.2.3' }];

const secondsOf = (verdict: Verdict | null): number =>
  verdict?.kind === 'noRoom' ? verdict.retryAfterSeconds : 0;

/** A message that returns from OWN; `full`: for how many seconds an address is. */
function scene(full: Readonly<Record<string, number>> = { '192.0.2.1': 1 }) {
  const clock = { now: 0 };
  const returns = new Returns({ fullFor: (address) => full[address] ?? 0 }, () => clock.now);
  const wait = (
    n: number,
    source = OWN,
    sources = [OWN, OTHER, THIRD],
    sticky: string | null = OWN.address,
  ) => secondsOf(returns.waitFor({ hopId: id(n), provider: 'google' }, source, sticky, sources));
  return { clock, wait };
}

test('a message waits for its address until a grant would have ended, and then no more', () => {
  const { clock, wait } = scene();
  const asked: number[] = [];
  for (const at of [0, 60, 110, 119, 120, 200]) {
    clock.now = at * 1000;
    asked.push(wait(1));
  }
  expect(asked).toEqual([1, 1, 1, 0, 0, 0]);
});

test.each([
  [1, 1],
  [GRANT_SECONDS - 1, GRANT_SECONDS - 1],
  [GRANT_SECONDS, 0],
  [3600, 0],
])('an address that has room again in %d seconds is waited for %d', (seconds, expected) => {
  expect(scene({ [OWN.address]: seconds }).wait(1)).toBe(expected);
});

test('it waits for no other address, nor when no other has room: then the whole site waits', () => {
  const { wait } = scene({ [OWN.address]: 1, [OTHER.address]: 2 });
  expect(wait(1, OTHER)).toBe(0);
  expect(wait(1, OTHER, [OTHER, THIRD], null)).toBe(0);
  expect(wait(1, OWN, [OWN, OTHER])).toBe(0);
  expect(wait(1, OWN, [OWN])).toBe(0);
  expect(scene({}).wait(1)).toBe(0);
  expect(wait(1, OWN, [OWN, OTHER, THIRD])).toBe(1);
});

test('at most a thousand wait at once, and who has waited makes place', () => {
  const { clock, wait } = scene();
  const waiting = Array.from({ length: 1001 }, (_, n) => wait(n));
  expect(waiting.filter((seconds) => seconds > 0)).toHaveLength(1000);
  expect(wait(5)).toBe(1);
  clock.now = 2 * GRANT_SECONDS * 1000;
  expect(wait(2000)).toBe(1);
});
