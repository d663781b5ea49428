// IPPool: source addresses, which outlive every pod, and their warm-up.
import { z } from 'zod';
import { isSourceAddress } from './address.ts';
import { commonStatus, hostname, stringMap } from './fields.ts';
import { each, type Rule, unique } from './rule.ts';

const warmupStep = z.object({
  day: z.int().min(1).max(3650).describe('From this day of sending on.'),
  perDay: z.int().min(1).max(1_000_000_000).describe('Messages a day.'),
});

const MAX_SCHEDULES = 32;

function knownTimeZone(timeZone: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

const shape = z.object({
  addresses: z
    .array(
      z.object({
        address: z.string().max(45).describe('The source address, IPv4 or IPv6, as the world sees it.'),
        ehlo: hostname().describe('The name said in EHLO; its A or AAAA record should be this address.'),
        bindAddress: z
          .string()
          .max(45)
          .optional()
          .describe('The local address to bind when it differs (1:1 NAT).'),
        movable: z.boolean().default(false).describe('Whether any node of the placement can have it.'),
        weight: z.int().min(0).max(1000).default(100).describe('Its share of the mail; 0 drains it.'),
      }),
    )
    .min(1)
    .max(256)
    .describe('The addresses this pool owns; an address belongs to one IPPool.'),
  warmup: z
    .object({
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
        .describe('Allowance per day, by provider.'),
      overflow: z
        .enum(['Wait', 'Warmed'])
        .default('Warmed')
        .describe('Mail beyond the allowance waits, or goes over warmed addresses of the pool.'),
    })
    .optional()
    .describe('Warm-up of young addresses.'),
  placement: z
    .object({
      nodeSelector: stringMap(16, 63).default({}).describe('Nodes that have the addresses.'),
      hostNetwork: z
        .boolean()
        .default(true)
        .describe("Egress needs the host's network to bind its addresses."),
    })
    .prefault({}),
});

type Spec = z.infer<typeof shape>;
type Step = z.infer<typeof warmupStep>;

/** A rule over every warm-up schedule; `cel` is over its list of steps `s`, `broken` finds the fault in one. */
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

export const ipPoolRules: readonly Rule<Spec>[] = [
  each({
    list: 'addresses',
    message:
      'every address must be a unicast IPv4 or IPv6 address in its shortest form (lower case, no leading zeros)',
    cel: 'isIP(a.address) && ip.isCanonical(a.address) && ip(a.address).isGlobalUnicast()',
    found: '.address',
    items: (spec) => spec.addresses,
    holds: (item) => isSourceAddress(item.address),
    show: (item) => item.address,
  }),
  each({
    list: 'addresses',
    message: 'every bindAddress must be an IPv4 or IPv6 address in its shortest form',
    cel: '!has(a.bindAddress) || (isIP(a.bindAddress) && ip.isCanonical(a.bindAddress) && ip(a.bindAddress).isGlobalUnicast())',
    found: '.bindAddress',
    items: (spec) => spec.addresses,
    holds: (item) => item.bindAddress === undefined || isSourceAddress(item.bindAddress),
    show: (item) => item.bindAddress ?? '',
  }),
  unique('addresses', 'address', 'an address may stand in an IPPool only once', (spec) => spec.addresses),
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
    `${STEPS}.all(a, ${STEPS}.all(b, a.day >= b.day || a.perDay <= b.perDay))`,
    (steps) => steps.some((a) => steps.some((b) => a.day < b.day && a.perDay > b.perDay)),
  ),
];

export const ipPoolSpec = shape.meta({ cel: ipPoolRules });

export const ipPoolStatus = z.object({
  ...commonStatus,
  addresses: z
    .array(
      z.object({
        address: z.string(),
        holder: z.string().optional().describe('The egress pod that holds it.'),
        node: z.string().optional(),
        state: z.enum(['Held', 'Unplaced']),
      }),
    )
    .default([]),
  held: z.string().optional().describe('Held addresses of all, as "3/4".'),
});

export type IPPoolSpec = z.infer<typeof ipPoolSpec>;
export type IPPoolStatus = z.infer<typeof ipPoolStatus>;
