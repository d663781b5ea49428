// Random load curves in virtual time, with drains that take a while, operators that are away and pods that fall silent.
import fc from 'fast-check';
import { autoscalingSpec } from '../../resources/autoscaling.ts';
import type { AutoscalingSpec, Recommendation } from '../../resources/kinds.ts';
import { decideScaling } from './autoscale.ts';
import type { Load } from './load.ts';
import { podView, worldOf } from './scripted-world.ts';

interface Moment {
  /** Seconds since the moment before. */
  readonly after: number;
  readonly load: Load;
}
interface Change {
  readonly at: number;
  readonly from: number;
  readonly to: number;
}

const quiet: Load = { ready: 0, inFlight: 0, perSecond: 0, silent: [] };

const specs: fc.Arbitrary<AutoscalingSpec> = fc
  .record({
    min: fc.integer({ min: 1, max: 4 }),
    more: fc.integer({ min: 0, max: 8 }),
    up: fc.constantFrom(0, 0, 30, 120),
    down: fc.constantFrom(0, 60, 300, 3600),
  })
  .map(({ min, more, up, down }) =>
    autoscalingSpec.parse({
      ...{ min, max: min + more, stabilizationSeconds: { up, down } },
      target: { readyPerPod: 100, inFlightPerPod: 20, perSecondPerPod: 50 },
    }),
  );
const loads: fc.Arbitrary<Load> = fc.record({
  ready: fc.integer({ min: 0, max: 2000 }),
  inFlight: fc.integer({ min: 0, max: 300 }),
  perSecond: fc.integer({ min: 0, max: 800 }),
  silent: fc.constant([]),
});
const steps = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 100, maxLength: 500 });

/** A pool that follows: up at once, down when the drain, of `drainSteps` decisions, is done. */
function follow(
  spec: AutoscalingSpec,
  begin: number,
  drainSteps: number,
  moments: Iterable<Moment>,
  watch: (change: Change | null, running: number) => void = () => {},
): Change[] {
  let [now, decided, running, draining] = [1_700_000_000, begin, begin, 0];
  let history: readonly Recommendation[] = [];
  const changes: Change[] = [];
  for (const { after, load } of moments) {
    now += after;
    const pods = Array.from({ length: running }, (_, n) => podView(n));
    const world = { ...worldOf(running, { pods }), now: now * 1000 };
    const next = decideScaling({ spec, load, decided, history, world });
    history = next.history;
    const change = next.replicas === decided ? null : { at: now, from: decided, to: next.replicas };
    if (change) changes.push(change);
    watch(change, running);
    decided = next.replicas;
    if (decided >= running) [running, draining] = [decided, 0];
    else if (++draining > drainSteps) [running, draining] = [running - 1, 0];
  }
  return changes;
}

const directions = (changes: readonly Change[]): string =>
  changes.map(({ from, to }) => (to > from ? 'u' : 'd')).join('');

test('any curve: bounds are held, one pod goes at a time, and none within the down-window of a rise', () => {
  const moment = fc.record({
    after: fc.oneof(
      { weight: 20, arbitrary: fc.integer({ min: 1, max: 20 }) },
      fc.integer({ min: 100, max: 9000 }),
    ),
    load: fc.oneof(
      { weight: 5, arbitrary: loads },
      { weight: 5, arbitrary: fc.constant(quiet) },
      fc.constant({ ...quiet, silent: ['a pod'] }),
    ),
  });
  let [ups, downs] = [0, 0];
  fc.assert(
    fc.property(
      specs,
      fc.nat(12),
      fc.nat(5),
      fc.array(moment, { minLength: 50, maxLength: 300 }),
      (spec, begin, drain, moments) => {
        const start = Math.min(spec.max, Math.max(spec.min, begin));
        let raised = Number.NEGATIVE_INFINITY;
        follow(spec, start, drain, moments, (change, running) => {
          if (!change) return;
          expect(change.to).toBeGreaterThanOrEqual(spec.min);
          expect(change.to).toBeLessThanOrEqual(spec.max);
          if (change.to > change.from) {
            ups++;
            raised = change.at;
            return;
          }
          downs++;
          expect(change.to).toBe(change.from - 1);
          expect(running).toBe(change.from);
          expect(change.at - raised).toBeGreaterThanOrEqual(spec.stabilizationSeconds.down);
        });
      },
    ),
  );
  expect(Math.min(ups, downs)).toBeGreaterThan(100);
});

test('what is not known never takes a pod away', () => {
  fc.assert(
    fc.property(specs, fc.array(loads, { minLength: 50 }), (spec, curve) => {
      const moments = curve.map((load) => ({ after: 10, load: { ...load, silent: ['a pod'] } }));
      expect(directions(follow(spec, spec.max, 2, moments))).not.toContain('d');
    }),
  );
});

test('a constant load, measured to a few per cent, is never followed up and down', () => {
  const noise = fc.array(fc.double({ min: 0.96, max: 1.04, noNaN: true }), {
    minLength: 500,
    maxLength: 500,
  });
  fc.assert(
    fc.property(specs, loads, fc.nat(12), noise, steps, (spec, load, begin, factors, afters) => {
      const moments = afters.map((after, n) => ({
        after,
        load: {
          ...load,
          ready: load.ready * (factors[n] ?? 1),
          perSecond: load.perSecond * (factors[n] ?? 1),
        },
      }));
      const start = Math.min(spec.max, Math.max(spec.min, begin));
      expect(directions(follow(spec, start, 3, moments))).toMatch(/^(u*|d*)$/);
    }),
  );
});

test.each([
  ['rises', 1, /^d*u*$/],
  ['falls', -1, /^u*d*$/],
])('a load that only %s is followed in one turn at most', (_, sign, pattern) => {
  fc.assert(
    fc.property(
      specs,
      fc.array(loads, { minLength: 100, maxLength: 300 }),
      fc.nat(12),
      (spec, curve, begin) => {
        const sorted = curve.toSorted((a, b) => sign * (a.ready - b.ready));
        const moments = sorted.map(({ ready }) => ({ after: 15, load: { ...quiet, ready } }));
        const start = Math.min(spec.max, Math.max(spec.min, begin));
        expect(directions(follow(spec, start, 2, moments))).toMatch(pattern);
      },
    ),
  );
});

test('a constant stream of mail into pods that can send more than their target: a backlog is worked off, then it stays', () => {
  const spec = autoscalingSpec.parse({
    ...{ min: 1, max: 8, stabilizationSeconds: { down: 300 } },
    target: { readyPerPod: 1000, inFlightPerPod: 400, perSecondPerPod: 100 },
  });
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 800 }),
      fc.nat(200_000),
      fc.integer({ min: 100, max: 200 }),
      (arriving, backlog, capacity) => {
        let pods = 1;
        let ready = backlog;
        function* loadsOfPool(): Generator<Moment> {
          for (let n = 0; n < 3000; n++) {
            const sent = Math.min(ready / 5 + arriving, pods * capacity);
            ready = Math.max(0, ready + (arriving - sent) * 5);
            yield { after: 5, load: { ...quiet, ready, perSecond: sent } };
          }
        }
        const changes = follow(spec, 1, 4, loadsOfPool(), (change, running) => {
          pods = change ? change.to : running;
        });
        expect(directions(changes)).toMatch(/^u*d*$/);
      },
    ),
    { numRuns: 60 },
  );
});
