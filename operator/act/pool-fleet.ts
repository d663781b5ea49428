// A SendingPool's side in NATS and at its pods: streams, snapshot, statements, drain, assignment. Runs apart from the
// reconcile of its Kubernetes objects (pool.ts), which therefore never waits for NATS.
import type { JetStreamManager } from '@nats-io/jetstream';
import { assignmentKey, type PoolKey, poolKey, poolSnapshotKey } from '../../mta/bus/names.ts';
import type { Assignment, PoolSnapshot } from '../../mta/bus/snapshot.ts';
import { failpoint } from '../../process/failpoint.ts';
import { nextAssignment } from '../decide/assign.ts';
import type { Scaling } from '../decide/autoscale.ts';
import type { DeletionStep } from '../decide/deletion.ts';
import { type DrainVerdict, decideDrain } from '../decide/drain.ts';
import { lasting } from '../decide/drain-lasting.ts';
import { whoShares } from '../decide/rebalance.ts';
import { shardsToLookAt } from '../decide/restart.ts';
import { ensureFleetAssets, ensurePoolAssets } from '../nats/assets.ts';
import { readStreams, type StreamsView } from '../nats/backlog.ts';
import { compilePool } from '../nats/compile.ts';
import { readConsumers } from '../nats/consumers.ts';
import type { FleetStore, Stored } from '../nats/fleet-store.ts';
import { drainModeOf } from '../observe/drain-mode.ts';
import { identified, parseSendingPool, readFleet } from '../observe/fleet.ts';
import { askAll, cachedWorld, withUnseenOwners } from '../observe/pool-world.ts';
import { type Problem, poolProblem } from '../observe/problems.ts';
import type { SendingPool } from '../observe/resources.ts';
import type { PoolWorld } from '../observe/world.ts';
import type { Result } from '../runtime/controller.ts';
import { type AnyObject, type Key, refOf } from '../runtime/objects.ts';
import type { BusState, Deps } from './deps.ts';
import { tellDrain } from './drain-events.ts';
import { settleDrainMode } from './drain-mode.ts';
import { findingsOf, type PoolFindings } from './findings.ts';
import { advanceDeletion } from './pool-deletion.ts';
import { removePod } from './remove-pod.ts';
import { decidePoolScaling, inForce, tellScaling } from './scaling.ts';
import { markUsed, replacePods, settleVolumes } from './spools.ts';

type Up = Extract<BusState, { kind: 'Up' }>;

/** Statements are asked again after this long; sooner while something moves. */
const CALM_SECONDS = 5;
const BUSY_SECONDS = 0.5;

export async function reconcilePoolFleet(deps: Deps, key: Key): Promise<Result> {
  const object = deps.caches.sendingPools.get(key);
  if (!object) {
    deps.findings.pools.delete(key);
    return undefined;
  }
  const bus = deps.bus();
  const before = findingsOf(deps.findings, object);
  const pass = new PoolPass(deps, key, identified(object, 'SendingPool'), before);
  const findings = bus.kind === 'Up' ? await pass.run(bus) : pass.without(bus.obstacle);
  deps.findings.pools.set(key, findings);
  deps.wakeReport('SendingPool', key);
  return { requeueAfterSeconds: pass.busy ? BUSY_SECONDS : CALM_SECONDS };
}

/** Fleet-wide assets and those of pools that were made at this connection already: asked again every minute. */
const ensured = new WeakMap<object, Map<string, number>>();
const TRUST_MS = 60_000;

async function once(bus: Up['bus'], what: string, now: number, work: () => Promise<void>): Promise<void> {
  const done = ensured.get(bus) ?? new Map<string, number>();
  ensured.set(bus, done);
  if (now - (done.get(what) ?? Number.NEGATIVE_INFINITY) < TRUST_MS) return;
  await work();
  done.set(what, now);
}

/** Makes the bounce stream and the buckets, unless they were seen a moment ago. */
export const ensureFleet = (deps: Deps, { bus }: Up): Promise<void> =>
  once(bus, 'fleet', deps.now(), () => ensureFleetAssets(bus, deps.streamProfile));

class PoolPass {
  busy = false;
  readonly #deps: Deps;
  readonly #key: Key;
  readonly #object: AnyObject;
  readonly #poolKey: PoolKey;
  readonly #before: PoolFindings | null;

  constructor(deps: Deps, key: Key, object: AnyObject, before: PoolFindings | null) {
    this.#deps = deps;
    this.#key = key;
    this.#object = object;
    this.#poolKey = poolKey(key);
    this.#before = before;
  }

  /** NATS is away: what was seen last stands, and nothing is decided. */
  without(message: string): PoolFindings {
    const nothing = {
      assignment: null,
      readings: new Map(),
      streams: null,
      drain: null,
      drainModeFault: null,
      deletion: null,
      scaling: null,
      progress: [],
    };
    const { problem } = this.#desired();
    return { ...nothing, ...this.#before, ...this.#stamp(), problem, nats: { kind: 'Unavailable', message } };
  }

  async run(up: Up): Promise<PoolFindings> {
    try {
      return await this.#observeDecideAct(up);
    } catch (error) {
      if (isOfKubernetes(error)) throw error;
      const failed = {
        ...this.without(''),
        nats: { kind: 'Failed', message: (error as Error).message },
      } as const;
      return failed;
    }
  }

  #stamp() {
    return {
      uid: this.#object.metadata.uid,
      at: this.#deps.now(),
      generation: this.#object.metadata.generation,
    };
  }

  /** The resource as it is wanted, or why it is not valid. */
  #desired(): { pool: SendingPool | null; problem: Problem | null } {
    const parsed = parseSendingPool(this.#object);
    if (parsed.kind === 'Invalid') return { pool: null, problem: parsed.problem };
    return { pool: parsed.resource, problem: poolProblem(parsed.resource, readFleet(this.#deps.caches)) };
  }

  async #observeDecideAct(up: Up): Promise<PoolFindings> {
    const manager = await up.bus.manager();
    await ensureFleet(this.#deps, up);
    const { snapshot, problem } = await this.#snapshot(up, manager);
    const stored = await up.store.read<Assignment>(assignmentKey(this.#poolKey));
    const streams = await readStreams(manager, this.#poolKey, snapshot?.shards ?? 0);
    const asItIs = await this.#world(manager, snapshot, stored.value);
    const scaling = this.#scale(asItIs, streams);
    const world = scaling ? { ...asItIs, desiredReplicas: scaling.replicas } : asItIs;
    const seen = {
      ...this.#stamp(),
      nats: { kind: 'Written' },
      problem,
      readings: world.readings,
      streams,
      drainModeFault: world.drainModeFault,
      scaling,
    } as const;
    if (this.#object.metadata.deletionTimestamp) {
      const deletion = snapshot
        ? await advanceDeletion(this.#deps, up, manager, world, { snapshot, stored, streams })
        : neverInForce(world);
      this.busy = true;
      return { ...seen, ...deletion, drain: null, progress: this.#deletionProgress(deletion.deletion) };
    }
    const drain = snapshot ? lasting(decideDrain(world), this.#before?.drain ?? null, world.now) : null;
    const assignment = drain ? await this.#act(up.store, world, stored, drain) : stored.value;
    return { ...seen, assignment, drain, deletion: null, progress: this.#progress(drain) };
  }

  /** Streams first, then the snapshot that sends mail to them. Gives what is in force and why the wanted is not. */
  async #snapshot(up: Up, manager: JetStreamManager) {
    const { pool, problem } = this.#desired();
    const stored = await up.store.read<PoolSnapshot>(poolSnapshotKey(this.#poolKey));
    if (!pool) return { snapshot: stored.value, problem };
    const policy = readFleet(this.#deps.caches).policies.find(
      ({ metadata }) => metadata.name === pool.spec.queuePolicyRef?.name,
    );
    const compiled = compilePool(pool, policy ?? null, problem, stored.value);
    if (compiled.kind === 'Bad')
      return { snapshot: closedIfDeleted(pool, stored.value), problem: compiled.problem };
    const { snapshot } = compiled;
    // Of this very pool: one before it of the same name has taken its streams along.
    const what = `${this.#key} ${this.#object.metadata.uid} ${snapshot.shards} ${snapshot.classes.map((c) => c.name).join()}`;
    if (!snapshot.intakeClosed)
      await once(up.bus, what, this.#deps.now(), () =>
        ensurePoolAssets(manager, this.#poolKey, snapshot.shards, snapshot.classes, this.#deps.streamProfile),
      );
    await up.store.put(poolSnapshotKey(this.#poolKey), snapshot);
    return { snapshot, problem: null };
  }

  /** How many pods there are to be, of a pool that scales by itself. */
  #scale(world: PoolWorld, streams: StreamsView | null): Scaling | null {
    const { pool } = this.#desired();
    if (!pool || pool.metadata.deletionTimestamp) return null;
    const scaling = decidePoolScaling(pool, world, streams, this.#before?.scaling ?? null);
    if (scaling) tellScaling(this.#deps, this.#object, scaling, world.desiredReplicas);
    return scaling;
  }

  async #world(
    manager: JetStreamManager,
    snapshot: PoolSnapshot | null,
    assignment: Assignment | null,
  ): Promise<PoolWorld> {
    const { api, caches, ask, now } = this.#deps;
    const { pool } = this.#desired();
    const shards = snapshot?.shards ?? 0;
    const spec = pool?.spec ?? { replicas: Number.MAX_SAFE_INTEGER, drain: { mode: 'Wait' as const } };
    const { namespace = '', name } = refOf(this.#key);
    const cached = cachedWorld({ namespace, name }, { ...spec, shards }, caches, now());
    const wished = pool ? inForce(pool, cached.statefulSet, this.#before?.scaling ?? null) : spec.replicas;
    const wanted = { ...cached, ...(pool && drainModeOf(pool)), desiredReplicas: wished };
    const unheard = await withUnseenOwners(api, wanted, assignment);
    const world = { ...unheard, readings: await askAll(unheard.pods, ask) };
    // After the statements: what the process before was given is in these numbers then.
    const asked = shardsToLookAt(world, assignment);
    const consumers = await readConsumers(manager, this.#poolKey, asked, snapshot?.classes ?? []);
    return { ...world, consumers };
  }

  /** Writes the next assignment, or lowers replicas; never both on one picture. */
  async #act(
    store: FleetStore,
    world: PoolWorld,
    stored: Stored<Assignment | null>,
    drain: DrainVerdict,
  ): Promise<Assignment | null> {
    const leaving = drain.kind === 'Leave' ? drain : null;
    const cordons = new Map(
      leaving?.cordon && leaving.uid ? [[leaving.uid, { handOver: leaving.handOver }]] : [],
    );
    const next = nextAssignment(world, cordons, leaving ? null : whoShares(world));
    this.busy =
      leaving !== null || next !== null || (world.assignment?.shards.some((s) => s.releasing) ?? false);
    if (next) {
      await markUsed(this.#deps, world, next);
      failpoint('operator.before-assignment');
      await store.write(assignmentKey(this.#poolKey), next, stored.revision);
      failpoint('operator.assignment-written');
    }
    tellDrain(this.#deps, this.#object, { world, drain, before: this.#before?.drain ?? null, next });
    await settleDrainMode(this.#deps, this.#object, { world, drain, before: this.#before });
    if (!next && leaving?.remove) await this.#remove(store, world, leaving);
    const told = (volume: string, reason: 'VolumeDeleted' | 'VolumeKept') =>
      this.#deps.tell(this.#object, { type: 'Normal', reason, action: 'SettleVolume', note: volume });
    await settleVolumes(this.#deps, world, this.#desired().pool?.spec.storage.whenDrained ?? 'Keep', told);
    await replacePods(this.#deps, world);
    return next ?? stored.value;
  }

  async #remove(store: FleetStore, world: PoolWorld, leaving: Extract<DrainVerdict, { kind: 'Leave' }>) {
    const { tell } = this.#deps;
    const read = async () => (await store.read<Assignment>(assignmentKey(this.#poolKey))).value;
    const refusal = await removePod(this.#deps, world, leaving, read);
    if (refusal) return;
    const note = `${leaving.pod} has left with nothing in it; replicas are now ${leaving.ordinal}`;
    tell(this.#object, { type: 'Normal', reason: 'ScaledDown', action: 'ScaleDown', note });
  }

  #deletionProgress(deletion: DeletionStep | null): PoolFindings['progress'] {
    const samples = this.#before?.deletion ? this.#before.progress : [];
    if (deletion?.step !== 'Deliver' || deletion.left === null) return samples;
    return [...samples.slice(-59), { at: this.#deps.now(), left: deletion.left }];
  }

  #progress(drain: DrainVerdict | null): PoolFindings['progress'] {
    if (drain?.kind !== 'Leave') return [];
    const before = this.#before?.drain;
    const same = before?.kind === 'Leave' && before.uid === drain.uid;
    const samples = same ? (this.#before?.progress ?? []) : [];
    if (drain.left === null) return samples;
    return [...samples.slice(-59), { at: this.#deps.now(), left: drain.left }];
  }
}

/** A pool that cannot be compiled closes its intake on deletion all the same. */
const closedIfDeleted = (pool: SendingPool, snapshot: PoolSnapshot | null): PoolSnapshot | null =>
  snapshot && pool.metadata.deletionTimestamp ? { ...snapshot, intakeClosed: true } : snapshot;

/** Failures of the API server are the controller's to retry; those of NATS become a finding. */
function isOfKubernetes(error: unknown): boolean {
  return error instanceof Error && ['ApiError', 'ConnectionError', 'NotLeading'].includes(error.name);
}

/** Without a snapshot no shard was ever given out, so only an old volume can hold mail. */
function neverInForce(world: PoolWorld): Pick<PoolFindings, 'deletion' | 'assignment'> {
  const used = world.volumes.find((volume) => volume.used);
  if (!used) return { deletion: { step: 'Done' }, assignment: null };
  const message = `${used.name} may hold mail, and this pool was never in force; use deletionPolicy Retain`;
  return {
    deletion: { step: 'Deliver', left: null, refusal: { reason: 'NotAssigned', message } },
    assignment: null,
  };
}
