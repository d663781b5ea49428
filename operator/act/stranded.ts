// Tells of stranded mail, and gives it up when somebody says so by name and number (decide/give-up.ts). The claim is marked
// first and deleted because of its mark, so an operator that is killed in between leaves nothing half done.
import type { SendingPoolStatus, Stranded } from '../../resources/kinds.ts';
import { decideGiveUp } from '../decide/give-up.ts';
import { type SpoolMemory, strandedSpools, strandedText } from '../decide/stranded.ts';
import { GIVE_UP_ANNOTATION, GIVEN_UP_ANNOTATION } from '../desired/names.ts';
import { givenUpTotal, setStranded } from '../metrics.ts';
import { KINDS } from '../observe/types.ts';
import type { PodView, PoolWorld } from '../observe/world.ts';
import type { PoolReport } from '../report/pool-status.ts';
import { type AnyObject, keyOf, refOf, TYPES } from '../runtime/objects.ts';
import type { Deps } from './deps.ts';
import { findingsOf } from './findings.ts';

type Told = Pick<PoolReport, 'stranded' | 'giveUpRefusals'>;

export async function tendStranded(deps: Deps, object: AnyObject, world: PoolWorld): Promise<Told> {
  const before = (object.status ?? {}) as Partial<SendingPoolStatus>;
  const all = strandedSpools(world, before).filter(
    ({ spool }) => !deps.findings.acknowledged.has(spool ?? ''),
  );
  // Who may still be at work is only known with the assignment.
  const known = findingsOf(deps.findings, object)?.nats.kind === 'Written';
  const wish = known ? object.metadata.annotations?.[GIVE_UP_ANNOTATION] : undefined;
  const { accepted, refusals } = decideGiveUp(wish, all);
  for (const one of accepted) await markGivenUp(deps, object, world, one);
  if (accepted.length > 0) await removeAnnotation(deps, object);
  await removeGivenUp(deps, world);
  const stranded = all.filter((one) => !accepted.includes(one));
  tellChanges(deps, object, stranded, { before, world, accepted });
  tellRefusals(deps, object, refusals, before);
  setStranded(keyOf(object.metadata), stranded);
  return { stranded, giveUpRefusals: refusals };
}

async function markGivenUp(deps: Deps, about: AnyObject, world: PoolWorld, one: Stranded): Promise<void> {
  if (one.spool !== undefined) deps.findings.acknowledged.add(one.spool);
  else {
    const volume = world.volumes.find(({ name }) => name === one.volume);
    const annotations = {
      [GIVEN_UP_ANNOTATION]: `${one.queued ?? 'unknown'} ${new Date(deps.now()).toISOString()}`,
    };
    const body = { metadata: { uid: volume?.uid, resourceVersion: volume?.resourceVersion, annotations } };
    await deps.api.patch(TYPES.persistentVolumeClaims, claimRef(world, one.volume), { kind: 'merge', body });
  }
  givenUpTotal.inc({ pool: world.pool }, one.queued ?? 0);
  const note = `given up: ${strandedText(one)}`;
  deps.tell(about, { type: 'Warning', reason: 'GivenUp', action: 'GiveUp', note });
}

const claimRef = ({ pool }: PoolWorld, name: string) => ({ namespace: refOf(pool).namespace ?? '', name });

/** Over the version that was read: who changes his mind meanwhile is asked again. */
async function removeAnnotation({ api }: Deps, { metadata }: AnyObject): Promise<void> {
  const { uid, resourceVersion } = metadata;
  const body = { metadata: { uid, resourceVersion, annotations: { [GIVE_UP_ANNOTATION]: null } } };
  await api.patch(KINDS.SendingPool, metadata, { kind: 'merge', body });
}

/** The claim, and the pod that waits for it: made anew it gets a new volume. */
async function removeGivenUp({ api }: Deps, world: PoolWorld): Promise<void> {
  for (const { name, uid, ordinal, givenUp, deleting, lost } of world.volumes) {
    if (!givenUp) continue;
    if (!deleting) await api.delete(TYPES.persistentVolumeClaims, claimRef(world, name), { uid });
    const waits = (one: PodView) => one.ordinal === ordinal && (one.node === null || lost) && !one.deleting;
    const pod = world.pods.find(waits);
    if (pod) await api.delete(TYPES.pods, claimRef(world, pod.name), { uid: pod.uid });
  }
}

interface Change {
  readonly before: SpoolMemory;
  readonly world: PoolWorld;
  readonly accepted: readonly Stranded[];
}

const same = (a: Stranded, b: Stranded): boolean =>
  a.volume === b.volume && a.why === b.why && a.spool === b.spool;

function tellChanges(deps: Deps, about: AnyObject, now: readonly Stranded[], change: Change): void {
  const before = change.before.stranded ?? [];
  for (const one of now.filter((entry) => !before.some((old) => same(old, entry)))) {
    const reason = one.why === 'VolumeLost' ? 'VolumeLost' : 'Stranded';
    deps.tell(about, { type: 'Warning', reason, action: 'Report', note: strandedText(one) });
  }
  const gaveUp = new Set(change.world.volumes.filter((v) => v.givenUp).map(({ name }) => name));
  for (const { volume, spool } of before) {
    const still = now.some((one) => one.volume === volume);
    const dropped = change.accepted.some((one) => one.volume === volume) || gaveUp.has(volume);
    if (still || dropped || deps.findings.acknowledged.has(spool ?? '')) continue;
    const note = `${volume} is worked by its pod again`;
    deps.tell(about, { type: 'Normal', reason: 'StrandedReturned', action: 'Report', note });
  }
}

function tellRefusals(
  deps: Deps,
  about: AnyObject,
  refusals: readonly string[],
  { conditions }: Partial<SendingPoolStatus>,
): void {
  const said = conditions?.find(({ type }) => type === 'MailReachable')?.message ?? '';
  for (const note of refusals)
    if (!said.includes(note))
      deps.tell(about, { type: 'Warning', reason: 'GiveUpRefused', action: 'GiveUp', note });
}
