// Who works which shard. Every move goes: owner asked to release → it states "unacknowledged 0" → new owner, epoch + 1.
// The only other way is a pod whose UID is gone from a fenced node. Never on silence: two pods working one shard is mail
// sent twice. A pod that only restarts keeps its shards, because its volume remembers which parcels it holds already.
import type { AssignedMember, Assignment, ShardAssignment, Statement } from '../../mta/bus/snapshot.ts';
import { SNAPSHOT_VERSION } from '../../mta/bus/snapshot.ts';
import type { PodView, PoolWorld } from '../observe/world.ts';
import { unfencedReason } from './fence.ts';
import { formersAfter } from './formers.ts';
import { afterRestarts, isSettling, processOf, settlingOf } from './restart.ts';

/** Which pods the drain wants cordoned, by UID, and whether they may hand over. */
export type Cordons = ReadonlyMap<string, { readonly handOver: boolean }>;

/** How long the shards of a restarting pod wait for it before another pod gets them. */
export const RESTART_PATIENCE_MS = 10 * 60_000;

/**
 * The next assignment, or null when the present one stands. Pure; the clock is `world.now`.
 * @param sharing UID of the pod that hands ready mail over to the others (rebalance.ts)
 */
export function nextAssignment(
  world: PoolWorld,
  cordons: Cordons,
  sharing: string | null = null,
): Assignment | null {
  if (world.assignment === null && unknownHolder(world)) return null;
  const before = world.assignment ?? foundedAssignment(world);
  const members = nextMembers(world, before, cordons, sharing);
  const shards = nextShards(world, before, members);
  const next = { ...before, members, shards };
  // A pod that remembers a later revision than this (of an assignment that NATS has lost) would ignore it.
  const remembered = Math.max(0, ...statementsOf(world).map((s) => s.assignmentRevision));
  const changed = world.assignment === null || remembered > before.revision || !sameContent(before, next);
  return changed ? { ...next, revision: Math.max(before.revision, remembered) + 1 } : null;
}

function sameContent(a: Assignment, b: Assignment): boolean {
  return JSON.stringify([a.members, a.shards]) === JSON.stringify([b.members, b.shards]);
}

const statementsOf = ({ readings }: PoolWorld): Statement[] =>
  [...readings.values()].flatMap((r) => (r.kind === 'statement' ? [r.statement] : []));

/**
 * Revisions and epochs count from the clock, in seconds, and not from 1: what was given out before under this name (by a pool that
 * was deleted, or an assignment that NATS has lost) was lower, and pods and egress refuse whatever is lower than they know.
 */
const founding = (now: number): number => Math.floor(now / 1000);

/** A pod that may work shards and does not say which: until it does, nothing may be given to others. Unknown is never empty. */
export function unknownHolder({ pods, volumes, readings }: PoolWorld): PodView | null {
  const used = new Set(volumes.filter((v) => v.used).map(({ ordinal }) => ordinal));
  return (
    pods.find(({ ordinal, uid }) => used.has(ordinal) && readings.get(uid)?.kind !== 'statement') ?? null
  );
}

/** The first assignment, or one that NATS has lost: what pods say they hold stays theirs. */
function foundedAssignment(world: PoolWorld): Assignment {
  const shards = Array.from({ length: world.shards }, (_, shard) => foundedShard(world, shard));
  const revision = founding(world.now);
  return { version: SNAPSHOT_VERSION, pool: world.pool, revision, members: [], shards };
}

const newShard = (shard: number, now: number): ShardAssignment => ({
  shard,
  epoch: founding(now),
  owner: null,
  releasing: false,
  former: null,
});

function foundedShard(world: PoolWorld, shard: number): ShardAssignment {
  const holders = statementsOf(world)
    .flatMap((s) => s.held.filter((h) => h.shard === shard).map((h) => ({ uid: s.uid, epoch: h.epoch })))
    .sort((a, b) => b.epoch - a.epoch);
  const pod = world.pods.find(({ uid }) => uid === holders[0]?.uid);
  if (!pod) return newShard(shard, world.now);
  const owner = ownerOf(pod);
  return { shard, epoch: holders[0]?.epoch ?? founding(world.now), owner, releasing: false, former: null };
}

const ownerOf = (pod: PodView) => ({ pod: pod.name, uid: pod.uid, node: pod.node ?? '' });

/** A pod joins once it is ready, and stays a member while its UID exists. */
function nextMembers(
  world: PoolWorld,
  before: Assignment,
  cordons: Cordons,
  sharing: string | null,
): AssignedMember[] {
  const known = new Map(before.members.map((member) => [member.uid, member]));
  const owning = new Set(before.shards.map(({ owner }) => owner?.uid));
  return world.pods
    .filter((pod) => known.has(pod.uid) || owning.has(pod.uid) || canWork(pod))
    .map((pod) => {
      const member = known.get(pod.uid);
      // Who has left stays cordoned until it is gone; nobody asks for its cordon any more.
      const cordon = cordons.get(pod.uid) ?? (hasLeft(world, pod) && member?.cordoned ? member : null);
      const process = processOf(world, pod) ?? member?.process;
      return {
        pod: pod.name,
        uid: pod.uid,
        cordoned: cordon !== null,
        handOver: cordon?.handOver ?? false,
        ...(cordon === null && pod.uid === sharing && { share: true as const }),
        ...(process && { process }),
      };
    });
}

/** Replicas were lowered past it: the StatefulSet's controller ends it any moment. */
export const hasLeft = ({ statefulSet }: PoolWorld, { ordinal }: PodView): boolean =>
  statefulSet !== null && ordinal >= statefulSet.replicas;

/** Its volume is kept only until this pod ends. */
const losesVolume = ({ volumes }: PoolWorld, { ordinal }: PodView): boolean =>
  volumes.some((volume) => volume.ordinal === ordinal && volume.deleting);

const canWork = (pod: PodView): boolean => pod.ready && !pod.deleting && pod.node !== null;

function nextShards(
  world: PoolWorld,
  before: Assignment,
  members: readonly AssignedMember[],
): ShardAssignment[] {
  const count = Math.max(world.shards, before.shards.length); // shards grow, never shrink
  const shards = Array.from(
    { length: count },
    (_, shard) => before.shards.find((s) => s.shard === shard) ?? newShard(shard, world.now),
  );
  const cordoned = new Set(members.filter((m) => m.cordoned).map(({ uid }) => uid));
  const targets = world.pods.filter(
    (pod) => canWork(pod) && !cordoned.has(pod.uid) && !hasLeft(world, pod) && !losesVolume(world, pod),
  );
  return new Placement(world, before.revision, targets, cordoned).place(afterRestarts(world, before, shards));
}

/** One round of placing: first what is free, then evening out by asking for releases. */
class Placement {
  readonly #world: PoolWorld;
  readonly #revision: number;
  readonly #targets: readonly PodView[];
  readonly #cordoned: ReadonlySet<string>;
  /** Shards that each target has and keeps, by UID. */
  readonly #load = new Map<string, number>();

  constructor(
    world: PoolWorld,
    revision: number,
    targets: readonly PodView[],
    cordoned: ReadonlySet<string>,
  ) {
    this.#world = world;
    this.#revision = revision;
    this.#targets = targets;
    this.#cordoned = cordoned;
    for (const { uid } of targets) this.#load.set(uid, 0);
  }

  place(shards: readonly ShardAssignment[]): ShardAssignment[] {
    const asked = shards.map((shard) => this.#askRelease(shard));
    for (const { owner, releasing } of asked) if (owner && !releasing) this.#count(owner.uid, 1);
    const free = new Map(asked.map((shard) => [shard.shard, this.#freedBy(shard)]));
    const placed = asked.map((shard) => this.#giveFree(shard, free.get(shard.shard) ?? null));
    return this.#evenOut(placed);
  }

  #count(uid: string, by: number): void {
    const load = this.#load.get(uid);
    if (load !== undefined) this.#load.set(uid, load + by);
  }

  /** A cordoned owner's shards are released; a cancelled cordon gives back what has not moved yet. */
  #askRelease(shard: ShardAssignment): ShardAssignment {
    const { owner } = shard;
    if (!owner || isSettling(shard)) return shard.releasing ? { ...shard, releasing: false } : shard;
    if (this.#cordoned.has(owner.uid)) return shard.releasing ? shard : { ...shard, releasing: true };
    const wasCordoned = this.#world.assignment?.members.find((m) => m.uid === owner.uid)?.cordoned === true;
    return shard.releasing && wasCordoned ? { ...shard, releasing: false } : shard;
  }

  /** Why the shard may have a new owner: nobody had it, its owner gave it up, or is gone for certain; null: it may not. */
  #freedBy(shard: ShardAssignment): 'Unowned' | 'Stated' | 'Fenced' | null {
    const { owner } = shard;
    if (!owner) return 'Unowned';
    if (this.#stated(shard)) return 'Stated';
    return unfencedReason(this.#world, owner) === null && !this.#isAwaited(owner.pod) ? 'Fenced' : null;
  }

  #stated({ shard, owner, releasing }: ShardAssignment): boolean {
    const before = this.#world.assignment?.shards.find((s) => s.shard === shard);
    const reading = owner && this.#world.readings.get(owner.uid);
    if (!releasing || !before?.releasing || reading?.kind !== 'statement' || isSettling(before)) return false;
    const { statement } = reading;
    if (statement.uid !== owner?.uid || statement.assignmentRevision !== this.#revision) return false;
    // With nothing unacknowledged it may still hold the shard, because a fence is owed that its next owner would not ask for.
    const holds = statement.held.some((h) => h.shard === shard);
    const cordoned = this.#cordoned.has(owner.uid);
    return !holds && (!cordoned || statement.unacknowledged === 0);
  }

  /** Its pod is expected back under the same name: a replacement that is not ready yet, or one still to be created. */
  #isAwaited(name: string): boolean {
    const pod = this.#world.pods.find((p) => p.name === name);
    if (pod && canWork(pod)) return false;
    if (pod) return this.#world.now - pod.createdAt < RESTART_PATIENCE_MS;
    const ordinal = Number(/\d+$/.exec(name)?.[0] ?? -1);
    return ordinal < Math.min(this.#world.statefulSet?.replicas ?? 0, this.#world.desiredReplicas);
  }

  #giveFree(shard: ShardAssignment, why: 'Unowned' | 'Stated' | 'Fenced' | null): ShardAssignment {
    if (why === null) return shard;
    const same = why === 'Fenced' && this.#targets.find((pod) => pod.name === shard.owner?.pod);
    const target = same || this.#leastLoaded();
    if (!target) return shard;
    this.#count(target.uid, 1);
    if (target.uid === shard.owner?.uid) return { ...shard, releasing: false };
    return {
      shard: shard.shard,
      epoch: shard.epoch + 1,
      owner: ownerOf(target),
      releasing: false,
      ...formersAfter(shard, why, target.uid, this.#world.now),
      // It has the volume of the lost one, and on it copies of what is still to come again.
      ...(same && settlingOf(this.#world, shard.shard)),
    };
  }

  #byLoad(): PodView[] {
    const load = (pod: PodView) => this.#load.get(pod.uid) ?? 0;
    return this.#targets.toSorted((a, b) => load(a) - load(b) || a.ordinal - b.ordinal);
  }

  #leastLoaded(): PodView | undefined {
    return this.#byLoad()[0];
  }

  /** Asks the fullest for shards until no two targets differ by more than one; what is being released is counted where it will go. */
  #evenOut(shards: readonly ShardAssignment[]): ShardAssignment[] {
    const next = [...shards];
    for (const { owner, releasing } of next)
      if (owner && releasing) this.#count(this.#leastLoaded()?.uid ?? '', 1);
    for (;;) {
      const order = this.#byLoad();
      const [emptiest, fullest] = [order[0], order.at(-1)];
      if (!emptiest || !fullest || this.#difference(fullest, emptiest) < 2) return next;
      const index = next.findLastIndex((s) => s.owner?.uid === fullest.uid && !s.releasing && !isSettling(s));
      const shard = next[index];
      if (!shard) return next;
      next[index] = { ...shard, releasing: true };
      this.#count(fullest.uid, -1);
      this.#count(emptiest.uid, 1);
    }
  }

  #difference(a: PodView, b: PodView): number {
    return (this.#load.get(a.uid) ?? 0) - (this.#load.get(b.uid) ?? 0);
  }
}
