// The status of a QueuePolicy. Pure.
import type { QueuePolicyStatus } from '../../resources/kinds.ts';
import type { Problem } from '../observe/problems.ts';
import type { ObjectMeta } from '../observe/resources.ts';
import { conditionsOf, type Health } from './conditions.ts';

export function policyStatus(
  metadata: ObjectMeta,
  before: Partial<QueuePolicyStatus>,
  problem: Problem | null,
  usedBy: readonly string[],
  now: number,
): QueuePolicyStatus {
  const message = usedBy.length ? `used by ${usedBy.join(', ')}` : 'no SendingPool uses it';
  const health: Health = problem ? { kind: 'Stalled', ...problem } : { kind: 'Fine', message };
  return {
    observedGeneration: metadata.generation,
    conditions: conditionsOf(before.conditions ?? [], health, [], metadata.generation, now),
    usedBy: [...usedBy],
    pools: usedBy.join(', '),
  };
}
