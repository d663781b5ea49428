// The kinds of fields that several kinds share. Each has an upper bound: without one the API server must assume the worst when it
// reckons what a CEL rule may cost, and refuses the CRD.
import { z } from 'zod';

/** The name of something that becomes part of pod names, labels and NATS subjects: a DNS label. */
export const name = () =>
  z
    .string()
    .min(1)
    .max(63)
    .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/);

/** A size of storage such as `10Gi`; not zero. */
export const storageQuantity = () =>
  z
    .string()
    .max(16)
    .regex(/^[1-9][0-9]*(\.[0-9]+)?(Ki|Mi|Gi|Ti)?$/);

/** A duration such as `30s`, `15m`, `4h` or `5d`; `durationSeconds` reads it. */
export const duration = () =>
  z
    .string()
    .max(6)
    .regex(/^[1-9][0-9]*(s|m|h|d)$/);

export const hostname = () =>
  z
    .string()
    .min(1)
    .max(253)
    .regex(/^([a-z0-9_]([-a-z0-9_]*[a-z0-9_])?\.)+[a-z0-9]([-a-z0-9]*[a-z0-9])?$/);

/** A map of strings, such as labels, with a bounded number of entries. */
export const stringMap = (entries = 64, length = 253) =>
  z
    .record(z.string(), z.string().max(length))
    .refine((map) => Object.keys(map).length <= entries, `at most ${entries} entries`)
    .meta({ maxProperties: entries });

export const conditionSchema = z.object({
  type: z.string(),
  status: z.enum(['True', 'False', 'Unknown']),
  reason: z.string(),
  message: z.string(),
  observedGeneration: z.int().optional(),
  lastTransitionTime: z.string(),
});
export type Condition = z.infer<typeof conditionSchema>;

export const commonStatus = {
  observedGeneration: z.int().optional().describe('The generation this status speaks of.'),
  conditions: z
    .array(conditionSchema)
    .default([])
    .describe('Ready, Reconciling, Stalled (kstatus) and domain conditions.')
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] }),
};
