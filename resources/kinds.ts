// The four kinds, once. From these schemas come the TypeScript types, the CRD YAML in crds/, and the table in
// docs/resources.md (`make generate`). `.meta({ cel: [...] })` carries the CEL rules of that level of the schema.
import { z } from 'zod';

export const GROUP = 'postfleet.io';
export const VERSION = 'v1alpha1';
export const API_VERSION = `${GROUP}/${VERSION}`;

/** A CEL rule of the CRD (`x-kubernetes-validations`): what must hold, and what to tell the user when it does not. */
export interface CelRule {
  readonly rule: string;
  readonly message: string;
}

const name = () =>
  z
    .string()
    .min(1)
    .max(63)
    .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/);
const quantity = () => z.string().regex(/^[0-9]+(\.[0-9]+)?(Ki|Mi|Gi|Ti)?$/);
/** A duration such as `30s`, `15m`, `4h` or `5d`; `durationSeconds` reads it. */
const duration = () => z.string().regex(/^[1-9][0-9]*(s|m|h|d)$/);
const hostname = () =>
  z
    .string()
    .min(1)
    .max(253)
    .regex(/^([a-z0-9_]([-a-z0-9_]*[a-z0-9_])?\.)+[a-z0-9]([-a-z0-9]*[a-z0-9])?$/);

export const conditionSchema = z.object({
  type: z.string(),
  status: z.enum(['True', 'False', 'Unknown']),
  reason: z.string(),
  message: z.string(),
  observedGeneration: z.int().optional(),
  lastTransitionTime: z.string(),
});
const commonStatus = {
  observedGeneration: z.int().optional().describe('The generation this status speaks of.'),
  conditions: z
    .array(conditionSchema)
    .default([])
    .describe('Ready, Reconciling, Stalled (kstatus) and domain conditions.'),
};

export const sendingPoolSpec = z
  .object({
    replicas: z
      .int()
      .min(0)
      .default(1)
      .describe('Delivery pods. Lowered one at a time, each pod drained first.'),
    shards: z
      .int()
      .min(1)
      .max(64)
      .default(8)
      .describe('Streams the mail is split over; may grow, never shrink.'),
    ipPoolRef: z.object({ name: name() }).describe('The IPPool whose addresses this pool sends from.'),
    queuePolicyRef: z
      .object({ name: name() })
      .optional()
      .describe('The QueuePolicy; without one the defaults hold.'),
    storage: z
      .object({
        size: quantity().default('10Gi').describe("Size of each pod's spool volume."),
        storageClassName: z.string().optional().describe("Storage class; the cluster's default when absent."),
        whenDrained: z
          .enum(['Keep', 'Delete'])
          .default('Keep')
          .describe('The volume of a pod that left, proven empty.'),
      })
      .prefault({}),
    drain: z
      .object({
        mode: z
          .enum(['Transfer', 'Wait'])
          .default('Transfer')
          .describe('How a leaving pod empties its spool.'),
      })
      .prefault({}),
    deletionPolicy: z
      .enum(['Drain', 'Retain'])
      .default('Drain')
      .describe('What deleting this pool does with its mail.'),
    classes: z
      .array(z.object({ name: name(), weight: z.int().min(1).max(1000) }))
      .min(1)
      .max(8)
      .default([
        { name: 'transactional', weight: 10 },
        { name: 'bulk', weight: 1 },
      ])
      .describe('Priority classes and their shares; the first is the default of a message that names none.'),
    podTemplate: z
      .object({
        labels: z.record(z.string(), z.string()).optional(),
        annotations: z.record(z.string(), z.string()).optional(),
        nodeSelector: z.record(z.string(), z.string()).optional(),
        resources: z
          .object({
            requests: z.record(z.string(), z.string()).optional(),
            limits: z.record(z.string(), z.string()).optional(),
          })
          .optional(),
      })
      .prefault({})
      .describe('What the operator adds to the delivery pods.'),
  })
  .meta({
    cel: [
      {
        rule: 'self.shards >= self.replicas',
        message: 'shards must be at least replicas: each delivery pod works at least one shard',
      },
      {
        rule: 'self.shards >= oldSelf.shards',
        message: 'shards may grow, never shrink: a shard that is gone would strand its mail',
      },
      {
        rule: 'self.replicas > 0 || oldSelf.replicas == 0',
        message:
          'replicas cannot be lowered to 0 while the pool exists: delete the SendingPool (deletionPolicy: Drain) instead',
      },
    ] satisfies CelRule[],
  });

export const memberSchema = z.object({
  pod: z.string(),
  state: z.enum(['Starting', 'Active', 'Cordoned', 'HandingOver', 'Empty', 'Unreachable', 'Leaving']),
  queued: z.int().describe('Recipients in the spool.'),
  oldestAgeSeconds: z.int().describe('Age of the oldest queued recipient, from its acceptance.'),
  shards: z.array(z.int()),
  node: z.string().optional(),
});
export const sendingPoolStatus = z.object({
  ...commonStatus,
  replicas: z.int().default(0).describe('Pods that exist; the scale subresource reads it.'),
  readyReplicas: z.int().default(0),
  selector: z
    .string()
    .optional()
    .describe('Label selector of the delivery pods; the scale subresource reads it.'),
  members: z.array(memberSchema).default([]),
  backlog: z.int().default(0).describe('Recipients in all spools plus parcels waiting in the streams.'),
  drain: z
    .object({
      pod: z.string(),
      step: z.string(),
      left: z.int().describe('Recipients still to leave the pod.'),
      estimateSeconds: z.int().optional(),
      since: z.string(),
    })
    .optional()
    .describe('The drain under way, if any.'),
});

const warmupStep = z.object({ day: z.int().min(1), perDay: z.int().min(1) });
export const ipPoolSpec = z
  .object({
    addresses: z
      .array(
        z.object({
          address: z.string().describe('The source address, IPv4 or IPv6, as the world sees it.'),
          ehlo: hostname().describe('The name said in EHLO; its A or AAAA record should be this address.'),
          bindAddress: z.string().optional().describe('The local address to bind when it differs (1:1 NAT).'),
          movable: z.boolean().default(false).describe('Whether any node of the placement can have it.'),
          weight: z.int().min(0).max(1000).default(100).describe('Its share of the mail; 0 drains it.'),
        }),
      )
      .min(1)
      .max(256)
      .describe('The addresses this pool owns; an address belongs to one IPPool.'),
    warmup: z
      .object({
        timeZone: z.string().default('UTC'),
        schedules: z
          .record(z.string(), z.array(warmupStep).min(1))
          .default({})
          .describe('Allowance per day, by provider.'),
        overflow: z.enum(['Wait', 'Warmed']).default('Warmed'),
      })
      .optional()
      .describe('Warm-up of young addresses.'),
    placement: z
      .object({
        nodeSelector: z.record(z.string(), z.string()).default({}).describe('Nodes that have the addresses.'),
        hostNetwork: z
          .boolean()
          .default(true)
          .describe("Egress needs the host's network to bind its addresses."),
      })
      .prefault({}),
  })
  .meta({
    cel: [
      {
        rule: 'self.addresses.all(a, isIP(a.address))',
        message: 'every address must be an IPv4 or IPv6 address',
      },
      {
        rule: 'self.addresses.all(a, self.addresses.exists_one(b, b.address == a.address))',
        message: 'an address may stand in an IPPool only once',
      },
    ] satisfies CelRule[],
  });
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

const limits = z.object({
  connections: z
    .int()
    .min(1)
    .optional()
    .describe('Open connections per (address, provider) over the whole fleet.'),
  messagesPerConnection: z.int().min(1).optional(),
});
export const queuePolicySpec = z.object({
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
    })
    .prefault({}),
  shaping: z
    .object({
      default: limits
        .extend({
          connections: z.int().min(1).default(10),
          messagesPerConnection: z.int().min(1).default(100),
        })
        .prefault({}),
      providers: z
        .array(
          z.object({
            name: name(),
            mxSuffixes: z
              .array(hostname())
              .default([])
              .describe('Matches when an MX host equals or ends with one.'),
            domains: z.array(hostname()).default([]).describe('Matches the recipient domain itself.'),
            limits,
          }),
        )
        .max(256)
        .default([]),
    })
    .prefault({}),
  tls: z.enum(['Opportunistic', 'Required', 'None']).default('Opportunistic').describe('TLS to the MX.'),
  dsn: z
    .object({ bounces: z.boolean().default(true).describe('Send RFC 3464 bounces to the envelope sender.') })
    .prefault({}),
});
export const queuePolicyStatus = z.object({ ...commonStatus, usedBy: z.array(z.string()).default([]) });

export const sendingDomainSpec = z
  .object({
    domain: hostname().describe('The domain of the From address.'),
    poolRef: z.object({ name: name() }).describe('The SendingPool that carries its mail.'),
    accounts: z.array(name()).default([]).describe('Accounts that may send for it; empty: every account.'),
    returnPath: hostname()
      .optional()
      .describe('Domain of the envelope sender that Postfleet sets; absent: left as sent.'),
    dkim: z
      .array(
        z.object({
          selector: z
            .string()
            .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/)
            .max(63),
          algorithm: z.enum(['RSA', 'Ed25519']).default('RSA'),
          secretRef: z
            .object({ name: z.string(), key: z.string().default('private.pem') })
            .optional()
            .describe('A given PKCS#8 or PKCS#1 PEM key; generated when absent.'),
        }),
      )
      .max(4)
      .default([{ selector: 'pf1', algorithm: 'RSA' }])
      .describe('Every key signs every message.'),
  })
  .meta({
    cel: [
      { rule: 'self.domain == oldSelf.domain', message: 'domain is immutable: make another SendingDomain' },
      {
        rule: 'self.dkim.all(a, self.dkim.exists_one(b, b.selector == a.selector))',
        message: 'each selector may stand only once',
      },
    ] satisfies CelRule[],
  });
export const sendingDomainStatus = z.object({
  ...commonStatus,
  records: z
    .array(
      z.object({
        name: z.string(),
        type: z.string(),
        value: z.string(),
        seen: z.enum(['Yes', 'No', 'Different', 'Unknown']),
      }),
    )
    .default([])
    .describe('The DNS records to publish, and whether each is seen.'),
});

export type Condition = z.infer<typeof conditionSchema>;
export type SendingPoolSpec = z.infer<typeof sendingPoolSpec>;
export type SendingPoolStatus = z.infer<typeof sendingPoolStatus>;
export type Member = z.infer<typeof memberSchema>;
export type IPPoolSpec = z.infer<typeof ipPoolSpec>;
export type IPPoolStatus = z.infer<typeof ipPoolStatus>;
export type QueuePolicySpec = z.infer<typeof queuePolicySpec>;
export type QueuePolicyStatus = z.infer<typeof queuePolicyStatus>;
export type SendingDomainSpec = z.infer<typeof sendingDomainSpec>;
export type SendingDomainStatus = z.infer<typeof sendingDomainStatus>;
