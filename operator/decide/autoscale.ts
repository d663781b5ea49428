// How many delivery pods a pool is to have (spec.autoscaling). Up as far as the load asks for, at once; down by one pod, which is
// drained first, and only when nothing in the whole down-window has asked for more and every pod says what it has. Pods cost a little,
// a queue that waits costs reputation: so one counts from the target on, and is let go only when the others would stay a tenth below
// it. What was decided and what it rests on are kept in status, not in memory: a new operator goes on from there. Pure.
import type { AutoscalingSpec, Recommendation } from '../../resources/kinds.ts';
import type { Reason } from '../../resources/reasons.ts';
import type { PoolWorld } from '../observe/world.ts';
import type { Load } from './load.ts';
import { remembered, within } from './recommendations.ts';
import { rolloutRuns } from './rollout.ts';

export interface Scaling {
  readonly replicas: number;
  readonly reason: Extract<
    Reason,
    | 'AtTarget'
    | 'AtMaximum'
    | 'Stabilizing'
    | 'LoadUnknown'
    | 'ScaledUp'
    | 'ScalingDown'
    | 'Draining'
    | 'RolloutUnderWay'
  >;
  readonly message: string;
  readonly load: Load;
  readonly history: readonly Recommendation[];
}

export interface Deciding {
  readonly spec: AutoscalingSpec;
  readonly load: Load;
  /** What was decided before. */
  readonly decided: number;
  readonly history: readonly Recommendation[];
  readonly world: Pick<PoolWorld, 'statefulSet' | 'pods' | 'now'>;
}

/** Part of the target that the load of the remaining pods must stay below before one goes. */
const DOWN_BELOW = 0.9;

export function decideScaling(deciding: Deciding): Scaling {
  const { spec, load, world } = deciding;
  const at = Math.floor(world.now / 1000);
  const decided = clamp(deciding.decided, spec);
  const asked = askedFor(load, spec);
  const low = clamp(asked.pods, spec);
  const needed = Math.max(low, clamp(podsFor(asked.share / DOWN_BELOW), spec));
  // What is not known could ask for as many as there are.
  const high = load.silent.length > 0 ? Math.max(needed, decided) : needed;
  const windows = spec.stabilizationSeconds;
  const history = remembered(deciding.history, { at, low, high }, windows);
  const up = windows.up === 0 ? low : (within(history, at, windows.up)?.lowest ?? 0);
  const down = windows.down === 0 ? high : (within(history, at, windows.down)?.highest ?? spec.max);
  const verdict = (replicas: number, reason: Scaling['reason'], message: string): Scaling => ({
    ...{ replicas, reason, message, load, history },
  });
  if (up > decided) return verdict(up, 'ScaledUp', `from ${decided} to ${up} pods: ${asked.why}`);
  if (low > decided) return verdict(decided, 'Stabilizing', `${low} pods are asked for: ${asked.why}`);
  if (asked.pods > decided) return verdict(decided, 'AtMaximum', `at most ${spec.max} pods: ${asked.why}`);
  if (high < decided || load.silent.length > 0) {
    const hold = holdBack(deciding, decided);
    if (hold) return verdict(decided, ...hold);
  }
  if (high >= decided) return verdict(decided, 'AtTarget', asked.why);
  if (down >= decided) return verdict(decided, 'Stabilizing', `${high} pods would do: ${asked.why}`);
  return verdict(decided - 1, 'ScalingDown', `from ${decided} to ${decided - 1} pods: ${asked.why}`);
}

/** Why no pod is let go now, whatever the load. */
function holdBack({ load, world }: Deciding, decided: number): [Scaling['reason'], string] | null {
  const { statefulSet: set, pods } = world;
  if (load.silent.length > 0)
    return ['LoadUnknown', `unknown is not idle, no pod is taken away: ${load.silent.join(', ')}`];
  if (!set || set.replicas > decided || pods.some(({ ordinal }) => ordinal >= set.replicas))
    return ['Draining', 'one pod leaves at a time'];
  return rolloutRuns(set) ? ['RolloutUnderWay', 'no pod is taken away while a rollout runs'] : null;
}

const clamp = (pods: number, { min, max }: AutoscalingSpec): number => Math.min(max, Math.max(min, pods));

/** As many as the share asks for; a rounding error is no pod. */
const podsFor = (share: number): number => Math.ceil(share - 1e-9);

/** How many pods the load would fill, and by which of the three. */
function askedFor(load: Load, { target }: AutoscalingSpec) {
  const measures = [
    { share: load.ready / target.readyPerPod, what: `${load.ready} ready at ${target.readyPerPod} a pod` },
    {
      share: load.inFlight / target.inFlightPerPod,
      what: `${load.inFlight} attempts under way at ${target.inFlightPerPod} a pod`,
    },
    {
      share: load.perSecond / target.perSecondPerPod,
      what: `${Math.round(load.perSecond)} a second at ${target.perSecondPerPod} a pod`,
    },
  ];
  const most = measures.reduce((a, b) => (b.share > a.share ? b : a));
  return { share: most.share, pods: podsFor(most.share), why: most.what };
}

/** The number in force before anything is decided: what stands in status, else what runs, else what the spec says. */
export function replicasInForce({ spec, status }: Wished, running: number | null): number {
  if (!spec.autoscaling) return spec.replicas;
  return clamp(status?.autoscaling?.replicas ?? running ?? spec.replicas, spec.autoscaling);
}

interface Wished {
  readonly spec: { readonly replicas: number; readonly autoscaling?: AutoscalingSpec | undefined };
  readonly status?: { readonly autoscaling?: { readonly replicas: number } | undefined } | undefined;
}
