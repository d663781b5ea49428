// Applies a pool's StatefulSet: which template, and how far it may reach (decide/canary.ts, decide/rollout.ts).
import type { SendingPoolStatus } from '../../resources/kinds.ts';
import { decideCanary, type Trial } from '../decide/canary.ts';
import { nextPartition } from '../decide/rollout.ts';
import { buildDeliveryStatefulSet } from '../desired/delivery-statefulset.ts';
import { deliveryName } from '../desired/names.ts';
import { identityOf, knownTemplates, templateOf, withTemplate } from '../desired/templates.ts';
import type { SendingPool } from '../observe/resources.ts';
import type { PoolWorld, StatefulSetView } from '../observe/world.ts';
import { type AnyObject, keyOf, TYPES } from '../runtime/objects.ts';
import type { Deps } from './deps.ts';
import { templateSize } from './volumes.ts';

/** @returns what is tried, for the status; null: nothing. */
export async function applyStatefulSet(
  deps: Deps,
  object: AnyObject,
  pool: SendingPool,
  world: PoolWorld,
): Promise<Trial | null> {
  const { namespace, uid } = pool.metadata;
  const existing = deps.caches.statefulSets.get(keyOf({ namespace, name: deliveryName(pool.metadata.name) }));
  const built = buildDeliveryStatefulSet(pool, deps.installation, 0, templateSize(existing) ?? undefined);
  const wanted = templateOf(built);
  const { applied, good } = knownTemplates(existing);
  const canary = pool.spec.rollout.canary ?? null;
  const isApplied = applied === identityOf(wanted);
  const isNew = good !== null && identityOf(good) !== identityOf(wanted);
  const before = knownTrial(deps, object);
  const verdict = decideCanary(
    world,
    { trial: identityOf(wanted, canary), canary, isApplied, isNew },
    before,
  );
  const hasPassed = verdict.trial === null || verdict.trial.state === 'Passed';
  const isEverywhere =
    hasPassed && isApplied && world.statefulSet !== null && reachedAll(world.statefulSet, world);
  const template = verdict.apply === 'Good' && good ? good : wanted;
  const partition = Math.max(nextPartition(world), verdict.lowest);
  const manifest = withTemplate(withPartition(built, partition), template, isEverywhere ? wanted : good);
  remember(deps, uid, verdict.trial);
  await deps.applier.apply(TYPES.statefulSets, manifest, existing !== undefined);
  tell(deps, object, before, verdict.trial);
  return verdict.trial;
}

const withPartition = (built: ReturnType<typeof buildDeliveryStatefulSet>, partition: number) => ({
  ...built,
  spec: {
    ...(built.spec as object),
    updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition } },
  },
});

const reachedAll = (set: StatefulSetView, { pods }: PoolWorld): boolean =>
  set.observedGeneration >= set.generation &&
  set.currentRevision === set.updateRevision &&
  pods.every((pod) => pod.ordinal >= set.replicas || pod.revision === set.updateRevision);

/** After a change of leader a verdict stands, and a watch begins anew, as nobody knows what pods had counted. */
export function knownTrial({ findings }: Deps, { metadata, status }: AnyObject): Trial | null {
  const found = findings.trials.get(metadata.uid ?? '');
  const said = (status as Partial<SendingPoolStatus> | undefined)?.rollout;
  if (found || !said) return found ?? null;
  const { trial, state, message } = said;
  return { trial, state, message, since: null, unreadySince: null, baseline: {} };
}

function remember({ findings }: Deps, uid: string, trial: Trial | null): void {
  if (trial) findings.trials.set(uid, trial);
  else findings.trials.delete(uid);
}

function tell(deps: Deps, about: AnyObject, before: Trial | null, now: Trial | null): void {
  if (!now || now.state === 'Canary' || (before?.trial === now.trial && before.state === now.state)) return;
  const { message } = now;
  if (now.state === 'Passed')
    deps.tell(about, { type: 'Normal', reason: 'CanaryPassed', action: 'RollOut', note: message });
  else deps.tell(about, { type: 'Warning', reason: 'RolledBack', action: 'RollBack', note: message });
}
