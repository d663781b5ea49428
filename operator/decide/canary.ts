// Trying a new template on a few pods. They take it first, are watched for a while beside the pods of the old one, and the
// others follow only when they do not defer or bounce more; else the last good template is applied again. Pure: what has to
// be remembered (when the watch began, what each pod had counted then) is passed in and given back.

import type { PodResults as Results } from '../../mta/bus/snapshot.ts';
import { durationSeconds } from '../../resources/duration.ts';
import type { Canary } from '../../resources/kinds.ts';
import type { PodView, PoolWorld } from '../observe/world.ts';

/** What is remembered of one trial. */
export interface Trial {
  /** Identity of template and canary: another one starts anew. */
  readonly trial: string;
  readonly state: 'Canary' | 'Passed' | 'RolledBack';
  readonly message: string;
  /** When the watch began, ms since the epoch; null: not all pods of the new template are ready. */
  readonly since: number | null;
  /** Since when a pod of the new template is not ready. */
  readonly unreadySince: number | null;
  /** By process: what it had counted when the watch began. */
  readonly baseline: Readonly<Record<string, Results>>;
}

export interface Templates {
  readonly trial: string;
  readonly canary: Canary | null;
  /** The StatefulSet has the wanted template already. */
  readonly isApplied: boolean;
  /** Another template than the last one that all pods had. False while none is known. */
  readonly isNew: boolean;
}

export interface CanaryVerdict {
  readonly apply: 'Wanted' | 'Good';
  /** The partition may not be lower. */
  readonly lowest: number;
  /** null: nothing is tried. */
  readonly trial: Trial | null;
}

/** A container of the new template that restarts so often crashes, however ready it gets in between. */
const RESTARTS = 3;

export function decideCanary(world: PoolWorld, templates: Templates, before: Trial | null): CanaryVerdict {
  const { canary, trial } = templates;
  if (!templates.isNew || !canary || !world.statefulSet) return { apply: 'Wanted', lowest: 0, trial: null };
  const known = before?.trial === trial ? before : begin(trial);
  const next = known.state === 'Canary' && templates.isApplied ? watch(world, canary, known) : known;
  if (next.state === 'RolledBack') return { apply: 'Good', lowest: 0, trial: next };
  const lowest = next.state === 'Canary' ? firstCanary(world, canary) : 0;
  return { apply: 'Wanted', lowest, trial: next };
}

const begin = (trial: string): Trial => ({
  trial,
  state: 'Canary',
  message: 'the new template reaches the first pods',
  since: null,
  unreadySince: null,
  baseline: {},
});

const firstCanary = ({ statefulSet }: PoolWorld, { pods }: Canary): number =>
  Math.max(0, (statefulSet?.replicas ?? 0) - pods);

function watch(world: PoolWorld, canary: Canary, known: Trial): Trial {
  const { now, statefulSet: set } = world;
  if (!set || set.observedGeneration < set.generation) return known;
  const isNew = (pod: PodView) => pod.revision === set.updateRevision;
  const mine = world.pods.filter(
    (pod) => pod.ordinal < set.replicas && pod.ordinal >= firstCanary(world, canary),
  );
  // The pod was made with its template, so every restart of it is the new template's, also those before a change of leader.
  const crashing = mine.find((pod) => isNew(pod) && pod.restarts >= RESTARTS);
  if (crashing) {
    const message = `${crashing.name} has restarted ${crashing.restarts} times with the new template`;
    return { ...known, state: 'RolledBack', message };
  }
  const unready = mine.find((pod) => isNew(pod) && !pod.ready);
  if (unready) return whileUnready(known, canary, unready, now);
  const isComplete = mine.length === Math.min(canary.pods, set.replicas) && mine.every(isNew);
  if (!isComplete) return { ...known, unreadySince: null };
  const others = world.pods.filter((pod) => !isNew(pod));
  if (known.since === null) {
    const baseline = Object.fromEntries([...mine, ...others].flatMap((pod) => countsOf(world, pod)));
    return { ...known, since: now, unreadySince: null, baseline, message: `${mine.length} pods are watched` };
  }
  return judge(known, canary, sumOf(world, known, mine), sumOf(world, known, others), now);
}

function whileUnready(known: Trial, canary: Canary, pod: PodView, now: number): Trial {
  const unreadySince = known.unreadySince ?? now;
  if (now - unreadySince < durationSeconds(canary.readyWithin) * 1000)
    return { ...known, unreadySince, message: `${pod.name} is not ready` };
  const message = `${pod.name} was not ready for ${canary.readyWithin} with the new template`;
  return { ...known, unreadySince, state: 'RolledBack', message };
}

function judge(known: Trial, canary: Canary, mine: Results, others: Results, now: number): Trial {
  const attempts = total(mine);
  if (attempts < canary.minAttempts)
    return { ...known, unreadySince: null, message: `fewer than ${canary.minAttempts} attempts yet` };
  const worse = worseThan(canary, mine, others);
  if (worse) return { ...known, state: 'RolledBack', message: worse };
  const isOver = now - (known.since ?? now) >= durationSeconds(canary.duration) * 1000;
  const message = isOver ? `${canary.pods} pods did well for ${canary.duration}` : 'within bounds so far';
  return { ...known, unreadySince: null, state: isOver ? 'Passed' : 'Canary', message };
}

/** Pods of the old template that have attempted too little are no measure: then the bounds hold as they stand. */
function worseThan(canary: Canary, mine: Results, others: Results): string | null {
  const isMeasure = total(others) >= canary.minAttempts;
  const bounds = [
    ['deferred', canary.maxDeferralIncrease],
    ['bounced', canary.maxFailureIncrease],
  ] as const;
  for (const [what, most] of bounds) {
    const [is, was] = [percent(mine, what), isMeasure ? percent(others, what) : 0];
    if (is - was > most)
      return `the new template has ${is.toFixed(1)} % ${what}, the old one ${was.toFixed(1)} %; ${most} points more are allowed`;
  }
  return null;
}

const total = ({ delivered, deferred, bounced }: Results): number => delivered + deferred + bounced;
const percent = (results: Results, what: keyof Results): number => (100 * results[what]) / total(results);

const NOTHING: Results = { delivered: 0, deferred: 0, bounced: 0 };

/** What a pod's process has counted; a pod that does not say, or of a release that does not count, has nothing. */
function countsOf({ readings }: PoolWorld, { uid }: PodView): [string, Results][] {
  const reading = readings.get(uid);
  if (reading?.kind !== 'statement' || !reading.statement.results) return [];
  return [[`${uid} ${reading.statement.process ?? ''}`, reading.statement.results]];
}

/** Since the watch began. A process that began later counts from its own beginning. */
function sumOf(world: PoolWorld, { baseline }: Trial, pods: readonly PodView[]): Results {
  return pods
    .flatMap((pod) => countsOf(world, pod))
    .reduce((sum, [process, now]) => {
      const then = baseline[process] ?? NOTHING;
      return {
        delivered: sum.delivered + now.delivered - then.delivered,
        deferred: sum.deferred + now.deferred - then.deferred,
        bounced: sum.bounced + now.bounced - then.bounced,
      };
    }, NOTHING);
}
