// QueuePolicy: how long and how often to try, how much at once, and what else holds at the door of an MX.
import { z } from 'zod';
import { durationSeconds } from './duration.ts';
import { commonStatus, duration, hostname, name } from './fields.ts';
import { each, type Rule, unique } from './rule.ts';

const connections = () => z.int().min(1).max(10_000);
const messagesPerConnection = () => z.int().min(1).max(100_000);

const most = (what: string) => z.int().min(1).max(1_000_000_000).optional().describe(what);
const per = (time: string) =>
  most(`Accepted recipients per (address, provider) in any ${time} over the whole fleet; absent: no limit.`);

const overPool = (what: string) =>
  most(`${what} at the provider over all addresses of the IPPool together; absent: no cap.`);

const pool = z
  .object({
    connections: connections()
      .optional()
      .describe(
        'Open connections to the provider from all addresses of the IPPool together; absent: no cap.',
      ),
    perSecond: overPool('Accepted recipients in any second'),
    perMinute: overPool('Accepted recipients in any minute'),
    perHour: overPool('Accepted recipients in any hour'),
    perDay: overPool('Accepted recipients in any 24 hours'),
    connectionAttemptsPerMinute: overPool('Connections begun in any minute, failed ones included,'),
  })
  .optional()
  .describe('Caps over the whole IPPool, in addition to the limits of each address.');

const limits = z.object({
  connections: connections()
    .optional()
    .describe('Open connections per (address, provider) over the whole fleet.'),
  messagesPerConnection: messagesPerConnection().optional(),
  perSecond: per('second'),
  perMinute: per('minute'),
  perHour: per('hour'),
  perDay: per('24 hours'),
  connectionAttemptsPerMinute: most(
    'Connections begun per (address, provider) in any minute, failed ones included; absent: no limit.',
  ),
  pool,
});

const shape = z.object({
  retry: z
    .object({
      intervals: z
        .array(duration())
        .min(1)
        .max(32)
        .default(['5m', '15m', '30m', '1h', '2h', '4h'])
        .describe('Wait after the first, second, … deferral; the last repeats.'),
      jitter: z.number().min(0).max(0.5).default(0.1).describe('Each wait is varied by up to this share.'),
      maxAge: duration()
        .default('5d')
        .describe('A recipient older than this bounces (RFC 5321 §4.5.4.1: 4 to 5 days).'),
      otherAddress: z
        .enum(['Once', 'Never'])
        .default('Once')
        .describe(
          'When a host refuses the source address for its reputation: the next attempt is made from another address, once; or from the same.',
        ),
    })
    .prefault({}),
  shaping: z
    .object({
      default: limits
        .extend({
          connections: connections()
            .default(10)
            .describe('Open connections per (address, provider) over the whole fleet.'),
          messagesPerConnection: messagesPerConnection().default(100),
        })
        .prefault({})
        .describe('What holds for a provider that is not named.'),
      providers: z
        .array(
          z.object({
            name: name(),
            mxSuffixes: z
              .array(hostname())
              .max(64)
              .default([])
              .describe('Matches when an MX host equals or ends with one.'),
            domains: z.array(hostname()).max(64).default([]).describe('Matches the recipient domain itself.'),
            limits,
          }),
        )
        .max(256)
        .default([])
        .describe('Providers with limits of their own.'),
    })
    .prefault({}),
  tls: z.enum(['Opportunistic', 'Required', 'None']).default('Opportunistic').describe('TLS to the MX.'),
  dsn: z
    .object({ bounces: z.boolean().default(true).describe('Send RFC 3464 bounces to the envelope sender.') })
    .prefault({}),
});

type Spec = z.infer<typeof shape>;

/** In seconds, as `durationSeconds`: CEL's own durations have no days, and a text made from parts has no known cost. */
const celSeconds = (text: string): string =>
  `int(${text}.substring(0, ${text}.size() - 1)) * (${text}.endsWith('d') ? 86400 : ${text}.endsWith('h') ? 3600 : ${text}.endsWith('m') ? 60 : 1)`;
const tooLong = `self.retry.intervals.filter(i, ${celSeconds('i')} >= ${celSeconds('self.retry.maxAge')})`;

export const queuePolicyRules: readonly Rule<Spec>[] = [
  {
    fieldPath: '.retry.intervals',
    message: 'every interval must be shorter than maxAge, or nothing is tried after it',
    rule: `self.retry.intervals.all(i, ${celSeconds('i')} < ${celSeconds('self.retry.maxAge')})`,
    found: ['%s of %s', `${tooLong}[0]`, 'self.retry.maxAge'],
    fault: ({ retry }) => {
      const limit = durationSeconds(retry.maxAge);
      const interval = retry.intervals.find((text) => durationSeconds(text) >= limit);
      return interval === undefined ? null : `${interval} of ${retry.maxAge}`;
    },
  },
  unique(
    'shaping.providers',
    'name',
    'a provider may stand in a QueuePolicy only once',
    (spec) => spec.shaping.providers,
  ),
  each({
    list: 'shaping.providers',
    message: 'a provider needs mxSuffixes or domains: it would match nothing',
    cel: 'a.mxSuffixes.size() + a.domains.size() > 0',
    found: '.name',
    items: (spec) => spec.shaping.providers,
    holds: (item) => item.mxSuffixes.length + item.domains.length > 0,
    show: (item) => item.name,
  }),
];

export const queuePolicySpec = shape.meta({ cel: queuePolicyRules });

export const queuePolicyStatus = z.object({
  ...commonStatus,
  usedBy: z.array(z.string()).default([]).describe('SendingPools that use it.'),
  pools: z.string().optional().describe('The same as text, for the column.'),
});

export type QueuePolicySpec = z.infer<typeof queuePolicySpec>;
export type QueuePolicyStatus = z.infer<typeof queuePolicyStatus>;
