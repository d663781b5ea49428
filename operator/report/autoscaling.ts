// What status says of autoscaling. It is also where a new operator reads what was decided and the history that it goes on from.
import type { NewCondition } from '../../resources/conditions.ts';
import type { AutoscalingStatus } from '../../resources/kinds.ts';
import type { Reason } from '../../resources/reasons.ts';
import type { Scaling } from '../decide/autoscale.ts';

/** Right after a start nothing is decided yet: what stands there stays. */
export function autoscalingStatus(
  scaling: Scaling | null,
  before: AutoscalingStatus | undefined,
): AutoscalingStatus | null {
  if (!scaling) return before ?? null;
  const { replicas, reason, message, load, history } = scaling;
  const perSecond = Math.round(load.perSecond);
  const figures = { ready: load.ready, inFlight: load.inFlight, perSecond, silent: load.silent.length };
  return { replicas, reason, message, ...figures, history: [...history] };
}

const STATUS: Readonly<Partial<Record<Reason, NewCondition['status']>>> = {
  AtMaximum: 'False',
  LoadUnknown: 'Unknown',
  WaitingForNats: 'Unknown',
};

export function autoscaledCondition(status: AutoscalingStatus | null): NewCondition {
  const type = 'Autoscaled';
  if (!status) return { type, status: 'Unknown', reason: 'WaitingForNats', message: 'not looked at yet' };
  const reason = status.reason as Reason;
  return { type, status: STATUS[reason] ?? 'True', reason, message: status.message };
}
