// How a SendingPool goes when it is deleted with deletionPolicy Drain (rule 1): intake is closed, mail is delivered where it
// is (the last pod has no peer), and only when streams, transfers and spools are all at zero do the pods go.
import type { StreamsView } from '../nats/backlog.ts';
import { mayHoldMail, type PoolWorld } from '../observe/world.ts';
import {
  allNumbersGiven,
  type Check,
  currentRevision,
  eventsSent,
  firstRefusal,
  isCordoned,
  nothingInFlight,
  nothingUnacknowledged,
  podExists,
  type Refusal,
  spoolEmpty,
  statementKnown,
  statementOfThisPod,
} from './drain-checks.ts';

export type DeletionStep =
  | { readonly step: 'CloseIntake' }
  | { readonly step: 'Deliver'; readonly left: number | null; readonly refusal: Refusal | null }
  | { readonly step: 'CloseStreams' }
  | { readonly step: 'ReopenStreams' }
  | { readonly step: 'Cordon'; readonly refusal: Refusal }
  | { readonly step: 'RemovePods' }
  | { readonly step: 'RemoveStreams' }
  | { readonly step: 'Done' };

/** Empty but not cordoned yet: worth cordoning. */
const LOOKS_EMPTY: readonly Check[] = [
  podExists,
  statementKnown,
  allNumbersGiven,
  statementOfThisPod,
  spoolEmpty,
  nothingInFlight,
  eventsSent,
];
const PROVEN_EMPTY: readonly Check[] = [...LOOKS_EMPTY, currentRevision, isCordoned, nothingUnacknowledged];

/**
 * @param intakeClosed the snapshot that is in force says so.
 * @param streams null: the streams do not exist (any more).
 */
export function decideDeletion(
  world: PoolWorld,
  intakeClosed: boolean,
  streams: StreamsView | null,
): DeletionStep {
  if (!intakeClosed) return { step: 'CloseIntake' };
  if (!world.statefulSet) return streams ? { step: 'RemoveStreams' } : { step: 'Done' };
  // Only a proof has brought it to zero (act/pool-deletion.ts); its pods are ending.
  if (world.statefulSet.replicas === 0) return { step: 'RemovePods' };
  const refusals = (checks: readonly Check[]) => occupants(world).map((pod) => firstRefusal(checks, pod));
  const waiting = (streams?.parcels ?? 0) + (streams?.bounces ?? 0);
  const occupied = refusals(LOOKS_EMPTY).find((refusal) => refusal !== null) ?? null;
  // Counted one after the other, a bounce on its way from a pod to ingress can be missed; ingress cannot store it then.
  if (streams?.closed && streams.bounces > 0) return { step: 'ReopenStreams' };
  if (waiting > 0 || occupied) return { step: 'Deliver', left: leftIn(world, waiting), refusal: occupied };
  if (streams && !streams.closed) return { step: 'CloseStreams' };
  const unproven = refusals(PROVEN_EMPTY).find((refusal) => refusal !== null);
  return unproven ? { step: 'Cordon', refusal: unproven } : { step: 'RemovePods' };
}

/** Every ordinal that may hold something: all that have a pod, and all volumes that were ever used. */
function occupants(world: PoolWorld) {
  const set = world.statefulSet;
  // Those past the last pod too: what was stranded by a scale-down by hand is no less mail.
  const used = world.volumes.filter(mayHoldMail).map((v) => v.ordinal);
  const members =
    world.assignment?.members.map((m) => world.pods.find((p) => p.uid === m.uid)?.ordinal ?? -1) ?? [];
  const ordinals = [...new Set([...used, ...members])].filter((ordinal) => ordinal >= 0);
  return ordinals.map((ordinal) => {
    const pod = world.pods.find((p) => p.ordinal === ordinal) ?? null;
    const reading = pod && world.readings.get(pod.uid);
    const statement = reading?.kind === 'statement' ? reading.statement : null;
    return { world, ordinal, name: `${set?.name}-${ordinal}`, pod, statement };
  });
}

/** Recipients and parcels that have to go first; null when a pod does not say. */
function leftIn(world: PoolWorld, waiting: number): number | null {
  const spooled = occupants(world).map(({ statement }) => statement?.spool.entries ?? null);
  return spooled.reduce<number | null>((sum, n) => (sum === null || n === null ? null : sum + n), waiting);
}
