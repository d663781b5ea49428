// SendingPool.spec.autoscaling: between which bounds, by which load, and how patiently; and what status says of it.
import { z } from 'zod';
import type { Rule } from './rule.ts';

const windowSeconds = () => z.int().min(0).max(3600);

export const autoscalingSpec = z
  .object({
    min: z.int().min(1).max(64).default(1).describe('Never fewer pods.'),
    max: z.int().min(1).max(64).describe('Never more pods; at most as many as shards.'),
    target: z
      .object({
        readyPerPod: z
          .int()
          .min(1)
          .max(1_000_000_000)
          .default(10_000)
          .describe('Mail that could be sent now by another pod, for each pod.'),
        inFlightPerPod: z
          .int()
          .min(1)
          .max(400)
          .default(200)
          .describe('SMTP attempts under way, for each pod; a pod makes at most 400 at once.'),
        perSecondPerPod: z
          .int()
          .min(1)
          .max(1_000_000)
          .default(500)
          .describe('Recipients attempted a second, for each pod.'),
      })
      .prefault({})
      .describe('The load that one pod is to have; the one of the three that asks for most pods decides.'),
    stabilizationSeconds: z
      .object({
        up: windowSeconds().default(0).describe('More pods only after all of this time has asked for them.'),
        down: windowSeconds()
          .default(300)
          .describe('Fewer pods only after none of this time has asked for more; then one at a time.'),
      })
      .prefault({}),
  })
  .describe('With it the operator decides how many pods there are, and spec.replicas is ignored.');

export type AutoscalingSpec = z.infer<typeof autoscalingSpec>;

interface Bounded {
  readonly shards: number;
  readonly autoscaling?: AutoscalingSpec | undefined;
}

export const autoscalingRules: readonly Rule<Bounded>[] = [
  {
    fieldPath: '.autoscaling',
    message: 'autoscaling.min must not be above autoscaling.max',
    rule: '!has(self.autoscaling) || self.autoscaling.min <= self.autoscaling.max',
    found: ['min %d, max %d', 'self.autoscaling.min', 'self.autoscaling.max'],
    fault: ({ autoscaling }) =>
      !autoscaling || autoscaling.min <= autoscaling.max
        ? null
        : `min ${autoscaling.min}, max ${autoscaling.max}`,
  },
  {
    fieldPath: '.autoscaling',
    message: 'shards must be at least autoscaling.max: each delivery pod works at least one shard',
    rule: '!has(self.autoscaling) || self.autoscaling.max <= self.shards',
    found: ['%d shards, max %d', 'self.shards', 'self.autoscaling.max'],
    fault: ({ autoscaling, shards }) =>
      !autoscaling || autoscaling.max <= shards ? null : `${shards} shards, max ${autoscaling.max}`,
  },
];

/** A stretch of time and what was asked for in it: a new operator goes on from these. */
export const recommendationSchema = z.object({
  at: z.int().describe('Begin of the stretch, in seconds since 1970.'),
  low: z.int().describe('The fewest pods that the load asked for in it.'),
  high: z.int().describe('The most.'),
});

export const autoscalingStatus = z.object({
  replicas: z.int().describe('Pods decided on; in force instead of spec.replicas.'),
  reason: z.string(),
  message: z.string(),
  ready: z.int().describe('Recipients and parcels that could be sent now.'),
  inFlight: z.int().describe('SMTP attempts under way.'),
  perSecond: z.int().describe('Recipients attempted a second.'),
  silent: z.int().describe('Pods whose load is not known; while there are any, no pod is taken away.'),
  history: z
    .array(recommendationSchema)
    .describe('What the load has asked for, as far back as the windows go.'),
});

export type Recommendation = z.infer<typeof recommendationSchema>;
export type AutoscalingStatus = z.infer<typeof autoscalingStatus>;
