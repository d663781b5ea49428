// Random holders, crashes, hand-overs and limits; the judge is the provider, who knows only when each message came.
import fc from 'fast-check';
import { Budget, type BudgetRecord, type WindowLimits } from './budget.ts';
import { WINDOW_MS, WINDOWS } from './window.ts';

/** Highest number of events in any interval of `length`, wherever it begins. */
function worst(events: readonly number[], length: number): number {
  const sorted = events.toSorted((a, b) => a - b);
  let [from, most] = [0, 0];
  for (const [to, at] of sorted.entries()) {
    while ((sorted[from] as number) <= at - length) from++;
    most = Math.max(most, to - from + 1);
  }
  return most;
}

type Step = {
  readonly wait: number;
  readonly what: 'fill' | 'take' | 'finish' | 'reserve' | 'lost' | 'crash' | 'release' | 'pause';
  readonly units: number;
  readonly used: number;
};
const step: fc.Arbitrary<Step> = fc.record({
  wait: fc.oneof(fc.integer({ min: 0, max: 400 }), fc.integer({ min: 0, max: 20_000 })),
  what: fc.oneof(
    { weight: 6, arbitrary: fc.constant('fill' as const) },
    { weight: 4, arbitrary: fc.constant('take' as const) },
    { weight: 8, arbitrary: fc.constant('finish' as const) },
    { weight: 4, arbitrary: fc.constant('reserve' as const) },
    { weight: 3, arbitrary: fc.constantFrom('lost', 'crash', 'release', 'pause') },
  ),
  units: fc.integer({ min: 1, max: 30 }),
  used: fc.double({ min: 0, max: 1, noNaN: true }),
});
const limit = (max: number) => fc.option(fc.integer({ min: 1, max }), { nil: null });
const limits: fc.Arbitrary<WindowLimits> = fc.record({
  second: limit(10),
  minute: limit(15),
  hour: limit(40),
  day: limit(60),
});

const GRANT_MS = 30_000;
interface Open {
  readonly at: number;
  readonly units: number;
}

class Run {
  now = 0;
  readonly sent: number[] = [];
  budget: Budget;
  stored: BudgetRecord | null = null;
  open: Open[] = [];
  readonly given: WindowLimits;
  constructor(given: WindowLimits) {
    this.given = given;
    this.budget = new Budget(given);
  }

  /** The provider sees `units` at random looking times between the grant and now. */
  #happened(grant: Open, units: number): void {
    const last = Math.min(this.now, grant.at + GRANT_MS);
    for (let count = 0; count < units; count++)
      this.sent.push(grant.at + ((last - grant.at) * ((count * 7919) % 101)) / 100);
  }

  do({ wait, what, units, used }: Step): void {
    this.now += wait;
    for (const one of this.open.filter((one) => one.at + GRANT_MS < this.now)) this.#end(one, used);
    if (what === 'fill') this.#fill(units);
    else if (what === 'take') {
      this.#take(units);
    } else if (what === 'finish') {
      if (this.open[0]) this.#end(this.open[0], used);
    } else if (what === 'reserve' || what === 'lost') {
      this.#reserve(what === 'reserve');
    } else this.#handOver(what, used);
  }

  /** Reserves and takes until a limit says no. */
  #fill(units: number): void {
    for (let more = true; more; ) {
      this.#reserve(true);
      more = this.#take(units);
    }
  }

  #take(units: number): boolean {
    const taken = this.budget.take(this.now, units);
    if (taken.units > 0) this.open.push({ at: this.now, units: taken.units });
    return taken.units > 0 && this.budget.room(this.now) >= 1 && this.budget.room(this.now) < 1e9;
  }

  #reserve(answered: boolean): void {
    const slice = this.budget.slice(this.now);
    this.stored = this.budget.record(this.now, this.now, slice);
    if (answered) this.budget.confirmed(slice);
  }

  #end(one: Open, used: number): void {
    this.open = this.open.filter((other) => other !== one);
    const count = Math.floor(one.units * used);
    this.#happened(one, count);
    this.budget.settle(this.now, one.units, count);
  }

  #handOver(how: 'crash' | 'release' | 'pause', used: number): void {
    if (how === 'release') {
      for (const one of this.open) this.#end(one, used);
      this.stored = this.budget.record(this.now, this.now, 0);
    }
    const taken = this.now + (how === 'release' ? 0 : 10_000);
    // One that was only paused goes on with its grants to their end, unseen by its successor.
    const grantsEndAt =
      how === 'pause' ? Math.max(taken, ...this.open.map((one) => one.at + GRANT_MS)) : taken;
    for (const one of this.open) {
      const end = how === 'pause' ? one.at + GRANT_MS : this.now;
      for (let count = 0; count < one.units; count++) this.sent.push(count % 2 ? one.at : end);
    }
    this.open = [];
    this.now = taken;
    this.budget = new Budget(this.given, this.stored, { now: taken, wallNow: taken, grantsEndAt, skewMs: 0 });
  }
}

test('no window of any length is ever exceeded, wherever it begins, whatever the interleaving', () => {
  fc.assert(
    fc.property(limits, fc.array(step, { maxLength: 250 }), (given, steps) => {
      const run = new Run(given);
      for (const one of steps) run.do(one);
      for (const name of WINDOWS)
        expect(worst(run.sent, WINDOW_MS[name])).toBeLessThanOrEqual(given[name] ?? Infinity);
    }),
    { numRuns: 1000 },
  );
});

test('the judge can say no: sending beside the budget is found', () => {
  expect(worst([0, 59_999, 60_000], 60_000)).toBe(2);
  expect(worst([0, 30_000, 59_999], 60_000)).toBe(3);
});

test('short grants use more than 95 % of 100 a minute over ten minutes', () => {
  const run = new Run({ minute: 100 });
  while (run.now < 600_000) {
    run.do({ wait: 0, what: 'reserve', units: 1, used: 1 });
    run.do({ wait: 0, what: 'take', units: 5, used: 1 });
    run.do({ wait: 200, what: 'finish', units: 1, used: 1 });
  }
  expect(run.sent.length).toBeGreaterThan(950);
  expect(worst(run.sent, 60_000)).toBe(100);
});

test('a crash costs at most a slice and what was in open grants', () => {
  const run = new Run({ minute: 100 });
  for (let turn = 0; turn < 10; turn++) {
    run.do({ wait: 0, what: 'reserve', units: 1, used: 1 });
    run.do({ wait: 0, what: 'take', units: 5, used: 1 });
    run.do({ wait: 10, what: 'finish', units: 1, used: 1 });
  }
  run.do({ wait: 0, what: 'reserve', units: 1, used: 1 });
  run.do({ wait: 0, what: 'take', units: 3, used: 1 });
  run.do({ wait: 0, what: 'crash', units: 1, used: 1 });
  expect(run.budget.room(run.now)).toBeGreaterThanOrEqual(100 - 50 - 5);
});

test("a paused predecessor's grants count to their end: its last messages and the successor's first fit one window", () => {
  const run = new Run({ minute: 20 });
  const step = { units: 1, used: 1 };
  run.do({ ...step, wait: 0, what: 'fill' });
  run.do({ ...step, wait: 0, what: 'pause' });
  for (let turn = 0; turn < 20; turn++) run.do({ ...step, wait: 5000, what: 'fill' });
  expect(run.sent.length + run.open.length).toBeGreaterThan(20);
  const granted = run.open.map((one) => one.at);
  expect(worst([...run.sent, ...granted], WINDOW_MS.minute)).toBeLessThanOrEqual(20);
});
