// Ready, Reconciling and Stalled as kstatus wants them, beside the conditions of a kind.
import { type NewCondition, setCondition } from '../../resources/conditions.ts';
import type { Condition } from '../../resources/kinds.ts';
import type { Reason } from '../../resources/reasons.ts';

export interface Why {
  readonly reason: Reason;
  readonly message: string;
}

/** How a resource is: as it should be, on the way there, or stuck until somebody changes something. */
export type Health =
  | { readonly kind: 'Fine'; readonly message: string }
  | ({ readonly kind: 'Reconciling' } & Why)
  | ({ readonly kind: 'Stalled' } & Why);

export function conditionsOf(
  before: readonly Condition[],
  health: Health,
  own: readonly NewCondition[],
  generation: number,
  now: number,
): Condition[] {
  return [...healthConditions(health), ...own].reduce(
    (conditions, next) => setCondition(conditions, next, generation, now),
    [...before] as Condition[],
  );
}

function healthConditions(health: Health): NewCondition[] {
  const why: Why = health.kind === 'Fine' ? { reason: 'AsExpected', message: health.message } : health;
  const is = (type: 'Ready' | 'Reconciling' | 'Stalled', yes: boolean): NewCondition => ({
    type,
    status: yes ? 'True' : 'False',
    reason: why.reason,
    message: why.message,
  });
  return [
    is('Ready', health.kind === 'Fine'),
    is('Reconciling', health.kind === 'Reconciling'),
    is('Stalled', health.kind === 'Stalled'),
  ];
}

/** Problems come in order of weight: the first one that is there is told. */
export const firstOf = (...health: (Health | null)[]): Health =>
  health.find((one) => one !== null) ?? { kind: 'Fine', message: 'everything is as the resource says' };

export const stalled = (why: Why | null): Health | null => why && { kind: 'Stalled', ...why };
export const reconciling = (reason: Reason, message: string): Health => ({
  kind: 'Reconciling',
  reason,
  message,
});
