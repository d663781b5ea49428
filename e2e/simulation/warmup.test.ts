import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { draw } from './draw.ts';
import { simulate } from './fleet.ts';
import { SHIPPED } from './options.ts';
import { judge } from './verdict.ts';

const small = { seed: 1, addresses: 12, days: 24, deathsPerHour: 0.05 };

test('60 days, 40 addresses, 5 providers, over a change of clocks: no day overspent, none under-spent beyond its slices', () => {
  const tracks = simulate(SHIPPED);
  const verdict = judge(tracks);
  expect(tracks.length).toBe(200);
  expect(verdict).toMatchObject({ days: 12_000, overspent: 0, underspentBeyondSlices: 0 });
  expect(verdict.crashes).toBeGreaterThan(500);
  expect(verdict.suspended).toBeGreaterThan(20);
  expect(verdict.lostShare).toBeLessThan(0.01);
  // Everything is warmed at the end, also what was stepped back.
  expect(tracks.filter((track) => track.days.at(-1)?.allowance !== null).length).toBe(0);
  const drawn = readFileSync(join(import.meta.dirname, '../../docs/warmup.svg'), 'utf8');
  // `make warmup-simulation` draws it again.
  expect(draw(tracks, verdict, SHIPPED.addresses)).toBe(drawn);
}, 120_000);

test('the same seed gives the same days, another one others', () => {
  expect(simulate(small)).toEqual(simulate(small));
  expect(simulate({ ...small, seed: 2 })).not.toEqual(simulate(small));
});

test('holders that die every few hours cost their slices, and never a recipient too many', () => {
  const verdict = judge(simulate({ ...small, deathsPerHour: 0.5 }));
  expect(verdict).toMatchObject({ overspent: 0, underspentBeyondSlices: 0 });
  expect(verdict.lostShare).toBeGreaterThan(0.001);
});

test('the judge sees a day above its allowance, and one far below', () => {
  const [track] = simulate(small);
  if (!track) throw new Error('no track');
  const day = (accepted: number) => ({
    ...track,
    days: [{ day: 1, accepted, allowance: 100, crashes: 1, suspended: false }],
  });
  expect(judge([day(101)]).overspent).toBe(1);
  expect(judge([day(94)]).underspentBeyondSlices).toBe(1);
  expect(judge([day(95)])).toMatchObject({ overspent: 0, underspentBeyondSlices: 0 });
});
