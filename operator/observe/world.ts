// The frozen picture of one SendingPool that a reconcile decides on. Gathered first, then never changed: what is not in
// here a decision cannot know.
import type { Assignment, Statement } from '../../mta/bus/snapshot.ts';

export interface PodView {
  readonly name: string;
  readonly ordinal: number;
  readonly uid: string;
  readonly node: string | null;
  readonly ip: string | null;
  readonly phase: string;
  readonly ready: boolean;
  /** A container of it runs or has run. */
  readonly started: boolean;
  readonly deleting: boolean;
  /** ms since the epoch. */
  readonly createdAt: number;
  /** Its StatefulSet revision (`controller-revision-hash`). */
  readonly revision: string | null;
  /** Which run of its container this is, as the kubelet says; null: none yet. */
  readonly container: string | null;
  /** How often the container has restarted in this pod, as the kubelet says. */
  readonly restarts: number;
  /** Since when the scheduler finds no node for it, ms since the epoch, and what it says; null: it has one. */
  readonly unschedulable: { readonly since: number; readonly message: string } | null;
}

export interface NodeView {
  readonly name: string;
  readonly ready: boolean;
  /** Tainted `node.kubernetes.io/out-of-service`: an administrator says it is off. */
  readonly outOfService: boolean;
  /** Since when it is not ready, ms since the epoch; null: it is ready, or does not say. */
  readonly silentSince: number | null;
}

export interface StatefulSetView {
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly replicas: number;
  readonly generation: number;
  readonly observedGeneration: number;
  readonly currentRevision: string | null;
  readonly updateRevision: string | null;
  readonly readyReplicas: number;
  readonly partition: number;
  readonly deleting: boolean;
}

export interface VolumeView {
  readonly name: string;
  readonly ordinal: number;
  readonly uid: string;
  readonly storageClassName: string | null;
  /** Marked by the operator before its pod was first given a shard: without the mark nothing was ever stored on it. */
  readonly used: boolean;
  /** Its pod was proven empty right before replicas were lowered, and has had no shard since. */
  readonly provenEmpty: boolean;
  /** Somebody gave its mail up, by name and number. */
  readonly givenUp: boolean;
  /** The claim has lost its volume. */
  readonly lost: boolean;
  readonly resourceVersion: string;
  readonly deleting: boolean;
}

/** Whether mail may be on it. Not known to be empty is not empty. */
export const mayHoldMail = ({ used, provenEmpty, givenUp }: VolumeView): boolean =>
  used && !provenEmpty && !givenUp;

/** What is known of a pod's statement. Unknown is never empty. */
export type Reading =
  | { readonly kind: 'statement'; readonly statement: Statement }
  | {
      readonly kind: 'unknown';
      readonly reason: 'Unreachable' | 'WrongUid' | 'NumberMissing';
      readonly message: string;
    };

/** How far a shard's consumer is, in sequences of its stream. */
export interface ConsumerView {
  readonly name: string;
  readonly delivered: number;
  /** Everything up to here is acknowledged. */
  readonly ackFloor: number;
  /** Of the stream: nothing higher was ever stored in it. */
  readonly last: number;
}

export interface PoolWorld {
  /** SendingPool as namespace/name. */
  readonly pool: string;
  readonly desiredReplicas: number;
  readonly shards: number;
  readonly drainMode: 'Transfer' | 'Wait';
  /** What is wrong with the annotation that asks for another mode, or null. */
  readonly drainModeFault: string | null;
  readonly statefulSet: StatefulSetView | null;
  readonly pods: readonly PodView[];
  /** null: nodes cannot be read here; then no node counts as fenced. */
  readonly nodes: readonly NodeView[] | null;
  readonly volumes: readonly VolumeView[];
  readonly assignment: Assignment | null;
  /** By pod UID. */
  readonly readings: ReadonlyMap<string, Reading>;
  /** Of the shards that decide/restart.ts asks for. */
  readonly consumers: ReadonlyMap<number, readonly ConsumerView[]>;
  /** ms since the epoch. */
  readonly now: number;
}

/** The ordinal of a StatefulSet's pod or claim name; -1 when it has none. */
export function ordinalOf(name: string): number {
  const match = /-(\d+)$/.exec(name);
  return match ? Number(match[1]) : -1;
}
