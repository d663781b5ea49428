// What is done next, from the seed. Pure.
import type { Random } from '../internet/random.ts';
import type { Fault } from './fault.ts';

/** One in so many steps is a pair at the same time. */
const PAIR_EVERY = 3;

export const together = (one: Fault, other: Fault): boolean =>
  one !== other && !one.parts.some((part) => other.parts.includes(part));

/** Steps for ever: one fault, or two that have nothing in common. Every fault comes before any comes again. */
export function* steps(faults: readonly Fault[], random: Random): Generator<readonly Fault[]> {
  for (;;) {
    const left = shuffled(faults, random);
    for (let first = left.shift(); first; first = left.shift()) {
      const one = first;
      const at = random.below(PAIR_EVERY) === 0 ? left.findIndex((other) => together(one, other)) : -1;
      yield at < 0 ? [one] : [one, ...left.splice(at, 1)];
    }
  }
}

function shuffled<T>(from: readonly T[], random: Random): T[] {
  const left = [...from];
  return from.map(() => left.splice(random.below(left.length), 1)[0] as T);
}
