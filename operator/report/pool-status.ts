// The status of a SendingPool, from what was seen. Pure.
import type { NewCondition } from '../../resources/conditions.ts';
import type { SendingPoolStatus, Stranded } from '../../resources/kinds.ts';
import type { PoolFindings } from '../act/findings.ts';
import { unknownHolder } from '../decide/assign.ts';
import type { Trial } from '../decide/canary.ts';
import type { DeletionStep } from '../decide/deletion.ts';
import { type DrainVerdict, isBlocked } from '../decide/drain.ts';
import { unfencedReason } from '../decide/fence.ts';
import { rolloutRuns } from '../decide/rollout.ts';
import { strandedText } from '../decide/stranded.ts';
import { deliverySelector, selectorText } from '../desired/names.ts';
import type { Problem } from '../observe/problems.ts';
import type { ObjectMeta } from '../observe/resources.ts';
import type { PoolWorld } from '../observe/world.ts';
import { autoscaledCondition, autoscalingStatus } from './autoscaling.ts';
import { conditionsOf, firstOf, type Health, reconciling, stalled } from './conditions.ts';
import { estimateSeconds } from './estimate.ts';
import { membersOf } from './members.ts';

export interface PoolReport {
  readonly metadata: ObjectMeta;
  readonly before: Partial<SendingPoolStatus>;
  /** With the assignment and the readings that were found last. */
  readonly world: PoolWorld;
  /** What is wrong with the resource or its references, as this reconcile sees it. */
  readonly problem: Problem | null;
  /** null: the fleet reconcile has not looked yet. */
  readonly findings: PoolFindings | null;
  /** Why a pod finds no node, or null. */
  readonly unschedulable: string | null;
  /** The number of pods is decided by the operator. */
  readonly autoscales: boolean;
  /** What is tried of a new template. */
  readonly trial: Trial | null;
  /** Conditions of its volumes. */
  readonly storage: readonly NewCondition[];
  /** What no pod can work (decide/stranded.ts), without what was given up. */
  readonly stranded: readonly Stranded[];
  /** Why stranded mail that somebody wants to give up is not given up. */
  readonly giveUpRefusals: readonly string[];
}

export function poolStatus(report: PoolReport): SendingPoolStatus {
  const { metadata, before, world, findings } = report;
  const members = membersOf(world, before.members ?? []);
  const spooled = members.reduce((sum, { queued }) => sum + queued, 0);
  const drain = drainStatus(report);
  const autoscaling = report.autoscales
    ? autoscalingStatus(findings?.scaling ?? null, before.autoscaling)
    : null;
  const own = [
    drainedCondition(findings?.drain ?? null),
    mailReachable(report),
    ...report.storage,
    ...(report.autoscales ? [autoscaledCondition(autoscaling)] : []),
  ];
  const kept = (before.conditions ?? []).filter(({ type }) => report.autoscales || type !== 'Autoscaled');
  const deletion = deletionStatus(report);
  return {
    observedGeneration: metadata.generation,
    conditions: conditionsOf(kept, healthOf(report), own, metadata.generation, world.now),
    replicas: world.pods.length,
    readyReplicas: world.pods.filter((pod) => pod.ready && !pod.deleting).length,
    selector: selectorText(deliverySelector(metadata.name)),
    desiredReplicas: world.desiredReplicas,
    members,
    backlog: spooled + (findings?.streams?.parcels ?? 0),
    ...(drain && { drain }),
    ...(autoscaling && { autoscaling }),
    ...(report.trial && { rollout: rolloutOf(report.trial) }),
    ...(deletion && { deletion }),
    stranded: [...report.stranded],
  };
}

function healthOf(report: PoolReport): Health {
  const { findings, world, metadata } = report;
  if (metadata.deletionTimestamp) return deletionHealth(findings?.deletion ?? null, report);
  return firstOf(
    stalled(report.problem ?? findings?.problem ?? null),
    drainStalled(findings?.drain ?? null, world),
    strandedHealth(report),
    unfencedHealth(world),
    natsHealth(findings),
    unschedulableHealth(report.unschedulable),
    rolledBack(report),
    podsHealth(report),
    unownedHealth(findings, world),
  );
}

function drainStalled(drain: DrainVerdict | null, { drainModeFault: fault }: PoolWorld): Health | null {
  if (drain?.kind === 'Leave' && fault) return stalled({ reason: 'InvalidDrainMode', message: fault });
  if (drain?.kind !== 'Leave' || !drain.refusal || !isBlocked(drain.refusal)) return null;
  return { kind: 'Stalled', ...drain.refusal };
}

function strandedHealth({ stranded }: PoolReport): Health | null {
  if (stranded.length === 0) return null;
  return { kind: 'Stalled', reason: 'Stranded', message: stranded.map(strandedText).join('; ') };
}

/** Shards of a pod that is gone from the API server, while nobody knows that it has ended: removed by force from a silent node. */
function unfencedHealth(world: PoolWorld): Health | null {
  const { assignment, pods } = world;
  const left = assignment?.shards.filter(({ owner }) => owner && !pods.some(({ uid }) => uid === owner.uid));
  const [first] = left ?? [];
  const reason = first?.owner ? unfencedReason(world, first.owner) : null;
  if (!left || !first?.owner || reason === null) return null;
  const message = `${left.length} shards wait for ${first.owner.pod}, which is gone and may still run: ${reason}`;
  return { kind: 'Stalled', reason: 'PodLost', message };
}

function mailReachable({ stranded, giveUpRefusals }: PoolReport): NewCondition {
  const type = 'MailReachable';
  if (giveUpRefusals.length > 0)
    return { type, status: 'False', reason: 'GiveUpRefused', message: giveUpRefusals.join('; ') };
  if (stranded.length === 0)
    return {
      type,
      status: 'True',
      reason: 'AsExpected',
      message: 'each volume that may hold mail has its pod',
    };
  const reason = stranded.every(({ why }) => why === 'VolumeLost') ? 'VolumeLost' : 'Stranded';
  return { type, status: 'False', reason, message: stranded.map(strandedText).join('; ') };
}

function natsHealth(findings: PoolFindings | null): Health | null {
  if (!findings) return reconciling('WaitingForNats', 'streams and assignment are not looked at yet');
  if (findings.nats.kind === 'Written') return null;
  const reason = findings.nats.kind === 'Unavailable' ? 'NatsUnavailable' : 'SnapshotFailed';
  return reconciling(reason, findings.nats.message || 'NATS has not answered');
}

const unschedulableHealth = (why: string | null): Health | null =>
  why ? reconciling('PodUnschedulable', why) : null;

function rolloutOf({ trial, state, message, since }: Trial): SendingPoolStatus['rollout'] {
  return { trial, state, message, ...(since !== null && { since: new Date(since).toISOString() }) };
}

const rolledBack = ({ trial }: PoolReport): Health | null =>
  trial?.state === 'RolledBack' ? stalled({ reason: 'RolledBack', message: trial.message }) : null;

function podsHealth({ world, trial }: PoolReport): Health | null {
  const { statefulSet: set, desiredReplicas, pods, assignment } = world;
  if (!set)
    return desiredReplicas === 0 ? null : reconciling('WaitingForPods', 'the StatefulSet is being made');
  const ready = pods.filter((pod) => pod.ready && !pod.deleting).length;
  const count = `${ready} of ${desiredReplicas} pods are ready`;
  if (set.replicas > desiredReplicas) {
    const leaving = assignment?.members.find((m) => m.cordoned)?.pod ?? `${set.name}-${set.replicas - 1}`;
    return reconciling(
      'Draining',
      `${leaving} is leaving; ${set.replicas} pods are to become ${desiredReplicas}`,
    );
  }
  if (set.replicas < desiredReplicas) return reconciling('ScalingUp', count);
  if (rolloutRuns(set))
    return reconciling(
      'RollingOut',
      trial?.state === 'Canary'
        ? `a new template is tried: ${trial.message}; ${count}`
        : `a new template reaches the pods one at a time; ${count}`,
    );
  if (pods.some((pod) => pod.ordinal >= set.replicas))
    return reconciling('Draining', 'a pod that left is ending');
  return ready < desiredReplicas ? reconciling('WaitingForPods', count) : null;
}

function unownedHealth(findings: PoolFindings | null, world: PoolWorld): Health | null {
  const unowned = findings?.assignment?.shards.filter(({ owner }) => owner === null) ?? [];
  const missing = findings && !findings.assignment;
  if (!missing && unowned.length === 0) return null;
  const silent = missing && world.assignment === null ? unknownHolder(world) : null;
  if (silent)
    return reconciling(
      'ShardUnowned',
      `shards are not assigned: ${silent.name} may hold some and does not say which`,
    );
  return reconciling(
    'ShardUnowned',
    missing ? 'shards are not assigned yet' : `${unowned.length} shards have no owner`,
  );
}

function deletionHealth(deletion: DeletionStep | null, report: PoolReport): Health {
  const nats = natsHealth(report.findings);
  const refusal = deletion && 'refusal' in deletion ? deletion.refusal : null;
  if (refusal && isBlocked(refusal)) return { kind: 'Stalled', ...refusal };
  const left = deletion?.step === 'Deliver' ? `, ${deletion.left ?? 'an unknown number'} left` : '';
  const message = `${deletion?.step ?? 'waiting for NATS'}${left}${refusal ? `: ${refusal.message}` : ''}`;
  return nats ?? reconciling('Deleting', message);
}

function drainedCondition(drain: DrainVerdict | null): NewCondition {
  const type = 'Drained';
  if (drain === null)
    return { type, status: 'Unknown', reason: 'WaitingForNats', message: 'not looked at yet' };
  if (drain.kind === 'Stay')
    return { type, status: 'True', reason: 'AsExpected', message: 'no pod is leaving' };
  const { reason, message } = drain.refusal ?? { reason: 'Drained', message: `${drain.pod} is empty` };
  return { type, status: drain.left === null ? 'Unknown' : 'False', reason, message };
}

function drainStatus({ before, findings, world }: PoolReport): SendingPoolStatus['drain'] {
  const drain = findings?.drain;
  if (drain?.kind !== 'Leave') return undefined;
  const same = before.drain?.pod === drain.pod ? before.drain : null;
  const estimate = estimateSeconds(findings?.progress ?? []);
  return {
    pod: drain.pod,
    step: drain.refusal && isBlocked(drain.refusal) ? drain.refusal.reason : drain.step,
    left: drain.left ?? same?.left ?? 0,
    ...(estimate !== null && { estimateSeconds: estimate }),
    since: same?.since ?? new Date(world.now).toISOString(),
  };
}

function deletionStatus({ before, findings, world, metadata }: PoolReport): SendingPoolStatus['deletion'] {
  const deletion = findings?.deletion;
  if (!deletion || !metadata.deletionTimestamp) return undefined;
  const estimate = estimateSeconds(findings?.progress ?? []);
  return {
    step: deletion.step,
    ...(deletion.step === 'Deliver' && deletion.left !== null && { left: deletion.left }),
    ...(estimate !== null && { estimateSeconds: estimate }),
    since: before.deletion?.since ?? new Date(world.now).toISOString(),
  };
}
