import fc from 'fast-check';
import {
  type DialOutcome,
  FIT,
  type Fitness,
  isSuspect,
  judgeFitness,
  noteDial,
  FITNESS_RULES as RULES,
  unfitWhy,
} from './fitness.ts';

/** One dial a second, each to a host of its own, judged after each. */
function after(outcomes: readonly DialOutcome[], othersConnect: boolean, from = FIT, start = 0): Fitness {
  return outcomes.reduce<Fitness>((fitness, outcome, i) => {
    const now = start + i * 1000;
    return judgeFitness(noteDial(fitness, outcome, `mx${i}.test`, now), othersConnect, now, RULES);
  }, from);
}
const times = (count: number, outcome: DialOutcome): DialOutcome[] =>
  Array.from({ length: count }, () => outcome);
const isOut = (fitness: Fitness, now: number) => unfitWhy(fitness, now) !== null;

test.each<[string, DialOutcome[], boolean, RegExp | null]>([
  ['all connect', times(20, 'connected'), true, null],
  ['it cannot be bound three times in a row', times(3, 'unbound'), false, /cannot be bound/],
  ['twice, and then it can', ['unbound', 'unbound', 'connected', 'unbound', 'unbound'], true, null],
  ['many hosts, and others connect', times(11, 'failed'), true, /none of 11 hosts/],
  ['many hosts, and nobody connects: it is the net', times(40, 'failed'), false, null],
  ['for a moment only', times(9, 'failed'), true, null],
  ['one host got through', [...times(8, 'failed'), 'connected', ...times(8, 'failed')], true, null],
])('%s', (_, outcomes, others, why) => {
  const now = (outcomes.length - 1) * 1000;
  const said = unfitWhy(after(outcomes, others), now);
  if (why) expect(said).toMatch(why);
  else expect(said).toBeNull();
});

test('the same dead host again and again is no fault of the address', () => {
  let fitness = FIT;
  for (let now = 0; now < 600_000; now += 1000) fitness = noteDial(fitness, 'failed', 'dead.test', now);
  expect(isSuspect(fitness, 600_000, RULES)).toBe(false);
});

test('it is tried again after a minute; if it fails it is out for twice as long, at most a quarter of an hour', () => {
  let fitness = after(times(3, 'unbound'), true);
  let now = 2000;
  for (const minutes of [1, 2, 4, 8, 15, 15]) {
    expect(isOut(fitness, now + minutes * 60_000 - 1)).toBe(true);
    now += minutes * 60_000;
    expect(isOut(fitness, now)).toBe(false);
    fitness = judgeFitness(noteDial(fitness, 'unbound', 'mx.test', now), true, now, RULES);
  }
  expect(noteDial(fitness, 'connected', 'mx.test', now)).toBe(FIT);
});

test('on trial two hosts are enough', () => {
  const out = after(times(11, 'failed'), true);
  const back = 10_000 + 60_000;
  expect(isOut(after(times(11, 'failed'), true, out, back), back + 11_000)).toBe(true);
});

test('whatever happens: an address that connects is fit, and one that is out comes back', () => {
  const anyOutcome = fc.constantFrom<DialOutcome>('connected', 'unbound', 'failed');
  fc.assert(
    fc.property(fc.array(anyOutcome, { maxLength: 60 }), fc.boolean(), (outcomes, others) => {
      const fitness = after(outcomes, others);
      const now = outcomes.length * 1000;
      if (outcomes.at(-1) === 'connected') expect(isOut(fitness, now)).toBe(false);
      expect(isOut(fitness, now + RULES.longestOutMs)).toBe(false);
    }),
  );
});
