// SendingPool: delivery pods, the streams they work, the volume each has, and how one leaves.
import { z } from 'zod';
import { autoscalingRules, autoscalingSpec, autoscalingStatus } from './autoscaling.ts';
import { commonStatus, name, storageQuantity, stringMap } from './fields.ts';
import { quantityBytes } from './quantity.ts';
import { rolloutSpec, rolloutStatus } from './rollout.ts';
import { each, type Rule, unique } from './rule.ts';

const shape = z.object({
  replicas: z
    .int()
    .min(0)
    .default(1)
    .describe('Delivery pods. Lowered one at a time, each pod drained first. Ignored with autoscaling.'),
  autoscaling: autoscalingSpec.optional(),
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
      size: storageQuantity().default('10Gi').describe("Size of each pod's spool volume."),
      storageClassName: z
        .string()
        .max(253)
        .optional()
        .describe("Storage class; the cluster's default when absent."),
      whenDrained: z
        .enum(['Keep', 'Delete'])
        .default('Keep')
        .describe('The volume of a pod that left, proven empty.'),
    })
    .prefault({}),
  drain: z
    .object({
      mode: z.enum(['Transfer', 'Wait']).default('Transfer').describe('How a leaving pod empties its spool.'),
    })
    .prefault({}),
  rollout: rolloutSpec,
  deletionPolicy: z
    .enum(['Drain', 'Retain'])
    .default('Drain')
    .describe('What deleting this pool does with its mail.'),
  classes: z
    .array(
      z.object({
        name: name(),
        weight: z.int().min(1).max(1000).describe('Share of the sending that the class gets when all wait.'),
      }),
    )
    .min(1)
    .max(8)
    .default([
      { name: 'transactional', weight: 10 },
      { name: 'bulk', weight: 1 },
    ])
    .describe('Priority classes and their shares; the first is the default of a message that names none.'),
  podTemplate: z
    .object({
      labels: stringMap(32, 63).optional().describe('Labels beside those that Postfleet sets.'),
      annotations: stringMap(32, 4096).optional(),
      nodeSelector: stringMap(16, 63).optional(),
      resources: z
        .object({ requests: stringMap(8, 32).optional(), limits: stringMap(8, 32).optional() })
        .optional()
        .describe('Requests and limits of the delivery container.'),
    })
    .prefault({})
    .describe('What the operator adds to the delivery pods.'),
});

type Spec = z.infer<typeof shape>;

/** Bytes that the volume would lose; null when it does not shrink. */
function shrunken(spec: Spec, old: Spec | undefined): string | null {
  if (!old || quantityBytes(spec.storage.size) >= quantityBytes(old.storage.size)) return null;
  return `${old.storage.size} to ${spec.storage.size}`;
}

export const sendingPoolRules: readonly Rule<Spec>[] = [
  {
    fieldPath: '.replicas',
    message: 'shards must be at least replicas: each delivery pod works at least one shard',
    rule: 'self.shards >= self.replicas',
    found: ['%d shards, %d replicas', 'self.shards', 'self.replicas'],
    fault: ({ shards, replicas }) => (shards >= replicas ? null : `${shards} shards, ${replicas} replicas`),
  },
  {
    fieldPath: '.shards',
    message: 'shards may grow, never shrink: a shard that is gone would strand its mail',
    reason: 'FieldValueForbidden',
    rule: 'self.shards >= oldSelf.shards',
    found: ['%d to %d', 'oldSelf.shards', 'self.shards'],
    fault: (spec, old) => (!old || spec.shards >= old.shards ? null : `${old.shards} to ${spec.shards}`),
  },
  {
    fieldPath: '.replicas',
    message:
      'replicas cannot be lowered to 0 while the pool exists: delete the SendingPool (deletionPolicy: Drain) instead',
    reason: 'FieldValueForbidden',
    rule: 'self.replicas > 0 || oldSelf.replicas == 0',
    found: ['%d to 0', 'oldSelf.replicas'],
    fault: (spec, old) => (!old || spec.replicas > 0 || old.replicas === 0 ? null : `${old.replicas} to 0`),
  },
  ...autoscalingRules,
  unique('classes', 'name', 'a class may stand only once', (spec) => spec.classes),
  each({
    list: 'classes',
    message: 'the class "transfer" is kept for mail that moves between delivery pods; choose another name',
    cel: "a.name != 'transfer'",
    found: '.name',
    items: (spec) => spec.classes,
    holds: (item) => item.name !== 'transfer',
    show: (item) => item.name,
  }),
  {
    fieldPath: '.storage.size',
    message: 'storage.size may grow, never shrink: a volume cannot be made smaller',
    reason: 'FieldValueForbidden',
    rule: 'quantity(self.storage.size).compareTo(quantity(oldSelf.storage.size)) >= 0',
    found: ['%s to %s', 'oldSelf.storage.size', 'self.storage.size'],
    fault: shrunken,
  },
  {
    fieldPath: '.storage',
    message: 'storage.storageClassName cannot be changed: the volumes exist; make another SendingPool',
    reason: 'FieldValueForbidden',
    rule: `has(self.storage.storageClassName) == has(oldSelf.storage.storageClassName) && (!has(self.storage.storageClassName) || self.storage.storageClassName == oldSelf.storage.storageClassName)`,
    found: ['%s', "self.storage.?storageClassName.orValue('the default')"],
    fault: (spec, old) =>
      !old || spec.storage.storageClassName === old.storage.storageClassName
        ? null
        : (spec.storage.storageClassName ?? 'the default'),
  },
];

export const sendingPoolSpec = shape.meta({ cel: sendingPoolRules });

export const memberSchema = z.object({
  pod: z.string(),
  state: z
    .enum(['Starting', 'Active', 'Cordoned', 'HandingOver', 'Empty', 'Unreachable', 'Leaving', 'Missing'])
    .describe('Missing: its volume may hold mail and it has no pod.'),
  queued: z.int().describe('Recipients in the spool, as it was last said.'),
  oldestAgeSeconds: z.int().describe('Age of the oldest queued recipient, from its acceptance.'),
  shards: z.array(z.int()),
  node: z.string().optional(),
  spool: z
    .string()
    .optional()
    .describe('Identity of the spool on its volume: another one means that the volume was lost.'),
});
export const strandedSchema = z.object({
  pod: z.string(),
  volume: z.string().describe('The claim.'),
  queued: z.int().optional().describe('Recipients on it, as it was last said; absent: nobody ever said.'),
  why: z
    .enum(['NoPod', 'PodUnschedulable', 'NodeSilent', 'NodeGone', 'VolumeLost'])
    .describe('VolumeLost: the mail is gone with the volume. All others may come back.'),
  message: z.string(),
  since: z.string(),
  spool: z.string().optional().describe('With VolumeLost: the identity of the spool that was lost.'),
});
export const sendingPoolStatus = z.object({
  ...commonStatus,
  replicas: z.int().default(0).describe('Pods that exist; the scale subresource reads it.'),
  readyReplicas: z.int().default(0),
  desiredReplicas: z
    .int()
    .optional()
    .describe('Pods wished for: spec.replicas, or what autoscaling has decided.'),
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
  autoscaling: autoscalingStatus
    .optional()
    .describe('With spec.autoscaling: what was decided, why, and from what.'),
  rollout: rolloutStatus.optional().describe('With a canary: how the template that is tried does.'),
  deletion: z
    .object({
      step: z.string(),
      left: z.int().optional().describe('Recipients and parcels that have to go first; absent: unknown.'),
      estimateSeconds: z.int().optional(),
      since: z.string(),
    })
    .optional()
    .describe('How far the deletion is, while the finalizer holds the pool.'),
  stranded: z
    .array(strandedSchema)
    .default([])
    .describe('Mail on volumes that no pod can work now, each with what is at stake and since when.'),
});

export type SendingPoolSpec = z.infer<typeof sendingPoolSpec>;
export type SendingPoolStatus = z.infer<typeof sendingPoolStatus>;
export type Member = z.infer<typeof memberSchema>;
export type Stranded = z.infer<typeof strandedSchema>;
