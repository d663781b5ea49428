// Conditions as kstatus and the API conventions want them.
import type { Condition } from './kinds.ts';
import type { ConditionType, Reason } from './reasons.ts';

export interface NewCondition {
  readonly type: ConditionType;
  readonly status: Condition['status'];
  readonly reason: Reason;
  readonly message: string;
}

/**
 * `conditions` with `next` in it. The transition time is of the last change of status: a new message or reason keeps it. The order stays,
 * so that an unchanged status is written as the same bytes and not written again.
 * @param generation of the resource that was judged
 * @param now epoch milliseconds
 */
export function setCondition(
  conditions: readonly Condition[],
  next: NewCondition,
  generation: number,
  now: number,
): Condition[] {
  const old = conditions.find((condition) => condition.type === next.type);
  const changed = old?.status !== next.status;
  const condition: Condition = {
    ...next,
    observedGeneration: generation,
    // Kubernetes' metav1.Time has whole seconds.
    lastTransitionTime:
      old && !changed ? old.lastTransitionTime : new Date(now).toISOString().replace(/\.\d+Z$/, 'Z'),
  };
  return old ? conditions.map((one) => (one === old ? condition : one)) : [...conditions, condition];
}

export function findCondition(conditions: readonly Condition[], type: ConditionType): Condition | undefined {
  return conditions.find((condition) => condition.type === type);
}
