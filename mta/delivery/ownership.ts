// Which shards this pod works under an assignment. Pure.
import { type Assignment, owedFences } from '../bus/snapshot.ts';

export interface OwnedShard {
  readonly shard: number;
  readonly epoch: number;
  /** Owners before, who must be fenced first: they did not state that they hold nothing. */
  readonly fences: readonly string[];
}

export interface Duties {
  readonly cordoned: boolean;
  readonly handOver: boolean;
  /** Shards of others to which ready mail is handed over; null: none is. */
  readonly shareWith: ReadonlySet<number> | null;
  /** To be worked now. */
  readonly shards: readonly OwnedShard[];
  /** Still ours by name, and to be given up: what was pulled goes to the spool and is acknowledged. */
  readonly releasing: ReadonlySet<number>;
  /** `shard:epoch` of all that is ours by name, as CONNECT carries it. */
  readonly epochs: string;
}

/** What the assignment asks of the pod with this UID. */
export function dutiesOf(assignment: Assignment | null, uid: string): Duties {
  const member = assignment?.members.find((one) => one.uid === uid);
  const cordoned = member?.cordoned ?? false;
  const mine = assignment?.shards.filter(({ owner }) => owner?.uid === uid) ?? [];
  const given = (shard: { readonly releasing: boolean }) => cordoned || shard.releasing;
  return {
    cordoned,
    handOver: cordoned && (member?.handOver ?? false),
    shareWith: assignment && member?.share && !cordoned ? shardsOfOthers(assignment, uid) : null,
    shards: mine
      .filter((shard) => !given(shard))
      .map((shard) => ({
        shard: shard.shard,
        epoch: shard.epoch,
        fences: owedFences(shard).filter((former) => former !== uid),
      })),
    releasing: new Set(mine.filter(given).map(({ shard }) => shard)),
    epochs: mine.map(({ shard, epoch }) => `${shard}:${epoch}`).join(','),
  };
}

/** Shards that another pod works and keeps. */
function shardsOfOthers({ members, shards }: Assignment, uid: string): ReadonlySet<number> {
  const cordoned = new Set(members.filter((m) => m.cordoned).map((m) => m.uid));
  const kept = shards.filter(
    ({ owner, releasing }) => owner && owner.uid !== uid && !releasing && !cordoned.has(owner.uid),
  );
  return new Set(kept.map(({ shard }) => shard));
}
