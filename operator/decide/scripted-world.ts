// A scripted pool for the tests of decide/: pods that obey assignments at once, or do not, as the test says.
import type { Assignment, Statement } from '../../mta/bus/snapshot.ts';
import type { PodView, PoolWorld, Reading } from '../observe/world.ts';

export const NOW = Date.UTC(2026, 10, 1);

export function podView(ordinal: number, over: Partial<PodView> = {}): PodView {
  return {
    name: `demo-delivery-${ordinal}`,
    ordinal,
    uid: `uid-${ordinal}`,
    node: 'node-a',
    ip: `10.0.0.${ordinal}`,
    phase: 'Running',
    ready: true,
    started: true,
    deleting: false,
    createdAt: NOW - 3_600_000,
    revision: 'r1',
    container: null,
    restarts: 0,
    unschedulable: null,
    ...over,
  };
}

export function worldOf(replicas: number, over: Partial<PoolWorld> = {}): PoolWorld {
  return {
    pool: 'mail/demo',
    desiredReplicas: replicas,
    shards: 8,
    drainMode: 'Transfer',
    drainModeFault: null,
    statefulSet: {
      name: 'demo-delivery',
      uid: 'set-1',
      resourceVersion: '100',
      replicas,
      generation: 1,
      observedGeneration: 1,
      currentRevision: 'r1',
      updateRevision: 'r1',
      readyReplicas: replicas,
      partition: replicas,
      deleting: false,
    },
    pods: Array.from({ length: replicas }, (_, ordinal) => podView(ordinal)),
    nodes: [{ name: 'node-a', ready: true, outOfService: false, silentSince: null }],
    volumes: Array.from({ length: replicas }, (_, ordinal) => ({
      name: `spool-demo-delivery-${ordinal}`,
      ordinal,
      uid: `pvc-${ordinal}`,
      storageClassName: null,
      used: true,
      provenEmpty: false,
      givenUp: false,
      lost: false,
      resourceVersion: '1',
      deleting: false,
    })),
    assignment: null,
    readings: new Map(),
    consumers: new Map(),
    now: NOW,
    ...over,
  };
}

/** The statement of a pod that does what the assignment says at once. */
export function obedientStatement(
  pod: PodView,
  assignment: Assignment | null,
  over: Partial<Omit<Statement, 'spool'>> & { readonly spool?: Partial<Statement['spool']> } = {},
): Statement {
  const held = (assignment?.shards ?? [])
    .filter(({ owner, releasing }) => owner?.uid === pod.uid && !releasing)
    .map(({ shard, epoch }) => ({ shard, epoch, unacknowledged: 0 }));
  return {
    version: 1,
    pod: pod.name,
    uid: pod.uid,
    pool: 'mail/demo',
    assignmentRevision: assignment?.revision ?? 0,
    cordoned: assignment?.members.some((m) => m.uid === pod.uid && m.cordoned) ?? false,
    held,
    unacknowledged: 0,
    inFlight: 0,
    handedOver: 0,
    eventsUnsent: 0,
    work: { ready: 0, limited: 0, waiting: 0, perSecond: 0 },
    ...over,
    spool: {
      entries: 0,
      bytes: 0,
      freeBytes: 1_000_000,
      oldestAcceptedAt: null,
      writable: true,
      ...over.spool,
    },
  };
}

export function readingsOf(statements: readonly Statement[]): Map<string, Reading> {
  return new Map(statements.map((statement) => [statement.uid, { kind: 'statement', statement }]));
}

export const unknownReading = (
  reason: 'Unreachable' | 'WrongUid' | 'NumberMissing' = 'Unreachable',
): Reading => ({
  kind: 'unknown',
  reason,
  message: `scripted: ${reason}`,
});
