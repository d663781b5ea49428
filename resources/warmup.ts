// The part of an IPPool that says how fast its young addresses may grow, and its rules.
import { z } from 'zod';
import type { Rule } from './rule.ts';

const warmupStep = z.object({
  day: z.int().min(1).max(3650).describe('From this day of sending on.'),
  perDay: z
    .int()
    .min(1)
    .max(1_000_000_000)
    .optional()
    .describe('Accepted recipients a day; absent: no limit, which only the last step may say.'),
});

const MAX_SCHEDULES = 32;

function knownTimeZone(timeZone: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

const share = (value: number) => z.number().min(0).max(1).default(value);
/** The same figures as DEFAULT_THRESHOLDS in mta/policy/warmup, where their sources stand; a test compares them. */
const threshold = (atLeast: number, hold: number, stepBack: number) =>
  z
    .object({
      atLeast: z
        .int()
        .min(1)
        .max(1_000_000)
        .default(atLeast)
        .describe('Fewer of them in a day say nothing, whatever the share.'),
      hold: share(hold).describe('From this share on the day is repeated.'),
      stepBack: share(stepBack).describe(
        'From this share on the day ends at once, and the next is a smaller one.',
      ),
    })
    .prefault({});

export const warmupSpec = z.object({
  timeZone: z
    .string()
    .max(64)
    .regex(/^[A-Za-z0-9_+/-]+$/)
    .refine(knownTimeZone, 'unknown time zone')
    .default('UTC')
    .describe('IANA time zone in which days begin.'),
  schedules: z
    .record(z.string(), z.array(warmupStep).min(1).max(64))
    .refine((map) => Object.keys(map).length <= MAX_SCHEDULES, `at most ${MAX_SCHEDULES} entries`)
    .meta({ maxProperties: MAX_SCHEDULES })
    .default({})
    .describe(
      'Allowance per day, by provider; the last step goes on for good. Providers that are not named have the shipped schedules (docs/warmup.md).',
    ),
  overflow: z
    .enum(['Wait', 'Warmed'])
    .default('Warmed')
    .describe('Mail beyond the allowance waits, or goes over warmed addresses of the pool.'),
  engagedFirst: z
    .boolean()
    .default(false)
    .describe('Messages marked as engaged get the allowance first; others go over warmed addresses.'),
  countDeferred: z
    .boolean()
    .default(false)
    .describe('A deferred recipient costs as much as an accepted one.'),
  stepBackDays: z
    .int()
    .min(0)
    .max(30)
    .default(3)
    .describe('How far back in the schedule a day goes that passed a stepBack threshold.'),
  thresholds: z
    .object({
      deferred: threshold(10, 0.05, 0.2).describe('Deferrals for rate or reputation, of all attempts.'),
      bounced: threshold(10, 0.02, 0.05).describe('Permanent refusals, of all attempts.'),
      complained: threshold(3, 0.001, 0.003).describe('Complaints, of what was accepted.'),
    })
    .prefault({}),
  keepLedgerDays: z
    .int()
    .min(30)
    .max(3650)
    .default(90)
    .describe(
      'How long the ledger of an address that stands in no IPPool any more is kept after its last day.',
    ),
});

export type WarmupSpec = z.infer<typeof warmupSpec>;
type Step = z.infer<typeof warmupStep>;
interface Spec {
  readonly warmup?: WarmupSpec | undefined;
}

/** A rule over every warm-up schedule; `cel` is over its list of steps, `broken` finds the fault in one. */
function schedules(message: string, cel: string, broken: (steps: readonly Step[]) => boolean): Rule<Spec> {
  return {
    fieldPath: '.warmup.schedules',
    message,
    rule: `!has(self.warmup) || self.warmup.schedules.all(p, ${cel})`,
    found: ['%s', `self.warmup.schedules.filter(p, !(${cel}))[0]`],
    fault: (spec) =>
      Object.entries(spec.warmup?.schedules ?? {}).find(([, steps]) => broken(steps))?.[0] ?? null,
  };
}
const STEPS = 'self.warmup.schedules[p]';
const NO_LIMIT = Number.POSITIVE_INFINITY;

function ordered(signal: 'deferred' | 'bounced' | 'complained'): Rule<Spec> {
  const at = `self.warmup.thresholds.${signal}`;
  return {
    fieldPath: `.warmup.thresholds.${signal}`,
    message: 'hold must not be above stepBack: the first is the milder one',
    rule: `!has(self.warmup) || ${at}.hold <= ${at}.stepBack`,
    found: ['%s', `string(${at}.hold)`],
    fault: ({ warmup }) => {
      const one = warmup?.thresholds[signal];
      return one && one.hold > one.stepBack ? one.hold : null;
    },
  };
}

export const warmupRules: readonly Rule<Spec>[] = [
  schedules(
    'a warm-up schedule must say what day 1 may send',
    `${STEPS}.exists(a, a.day == 1)`,
    (steps) => !steps.some((step) => step.day === 1),
  ),
  schedules(
    'a warm-up schedule may have each day only once',
    `${STEPS}.all(a, ${STEPS}.exists_one(b, b.day == a.day))`,
    (steps) => new Set(steps.map((step) => step.day)).size !== steps.length,
  ),
  schedules(
    'a warm-up schedule must not go down: a later day may send at least as much as an earlier one',
    `${STEPS}.all(a, ${STEPS}.all(b, a.day >= b.day || !has(b.perDay) || (has(a.perDay) && a.perDay <= b.perDay)))`,
    (steps) =>
      steps.some((a) => steps.some((b) => a.day < b.day && (a.perDay ?? NO_LIMIT) > (b.perDay ?? NO_LIMIT))),
  ),
  ordered('deferred'),
  ordered('bounced'),
  ordered('complained'),
];
