// How a new pod template reaches the delivery pods of a SendingPool, and what its status says of it.
import { z } from 'zod';
import { duration } from './fields.ts';

const canary = z.object({
  pods: z.int().min(1).max(64).default(1).describe('Pods that take the new template first, the highest.'),
  duration: duration().default('10m').describe('How long they work before the others follow.'),
  minAttempts: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(100)
    .describe('Recipients that they must have attempted before they are judged; until then the others wait.'),
  maxDeferralIncrease: z
    .int()
    .min(0)
    .max(100)
    .default(10)
    .describe('Percentage points by which they may defer more than the pods of the old template.'),
  maxFailureIncrease: z
    .int()
    .min(0)
    .max(100)
    .default(2)
    .describe('Percentage points by which they may bounce more.'),
  readyWithin: duration()
    .default('10m')
    .describe('A pod of the new template that is not ready for so long is a failure.'),
});

export const rolloutSpec = z
  .object({
    canary: canary
      .optional()
      .describe('Tries a new template on a few pods, and takes it back when they do worse.'),
  })
  .prefault({})
  .describe('How a new pod template or image reaches the pods. Without a canary: one pod after the other.');

export const rolloutStatus = z.object({
  trial: z.string().describe('Identity of the template and of the canary that it is tried by.'),
  state: z.enum(['Canary', 'Passed', 'RolledBack']),
  since: z.string().optional().describe('When the pods of the new template began to be watched.'),
  message: z.string(),
});

export type Canary = z.infer<typeof canary>;
export type RolloutStatus = z.infer<typeof rolloutStatus>;
